//! Queries put together from parts, in SQL that both databases understand.

use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AnyPool, AssertSqlSafe};

use crate::error::LogError;

/// A query in the making. It numbers its places (`$1`): sqlx's own builder writes `?` for both
/// databases, which Postgres does not understand.
#[derive(Debug)]
pub(crate) struct Sql {
    text: String,
    values: Vec<Value>,
}

#[derive(Debug)]
enum Value {
    Text(String),
    Number(i64),
}

impl Sql {
    pub(crate) fn new(text: &str) -> Self {
        Self { text: text.to_owned(), values: Vec::new() }
    }

    pub(crate) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    pub(crate) fn text(&mut self, value: &str) -> &mut Self {
        self.place(Value::Text(value.to_owned()))
    }

    pub(crate) fn number(&mut self, value: i64) -> &mut Self {
        self.place(Value::Number(value))
    }

    /// `(a, b, c)`.
    pub(crate) fn list<'a>(&mut self, values: impl IntoIterator<Item = &'a str>) -> &mut Self {
        for (index, value) in values.into_iter().enumerate() {
            self.push(if index == 0 { "(" } else { ", " }).text(value);
        }
        self.push(")")
    }

    fn place(&mut self, value: Value) -> &mut Self {
        self.values.push(value);
        let place = format!("${}", self.values.len());
        self.push(&place)
    }

    pub(crate) async fn rows(
        self,
        pool: &AnyPool,
        what: &'static str,
    ) -> Result<Vec<AnyRow>, LogError> {
        // Only this program's own words are in the text; everything else is bound.
        let mut query: Query<'_, Any, AnyArguments> = sqlx::query(AssertSqlSafe(self.text));
        for value in self.values {
            query = match value {
                Value::Text(text) => query.bind(text),
                Value::Number(number) => query.bind(number),
            };
        }
        query.fetch_all(pool).await.map_err(LogError::database(what))
    }
}
