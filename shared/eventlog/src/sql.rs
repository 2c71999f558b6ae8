//! Queries put together from parts, in SQL that both databases understand; and how a database would find what they ask for.

use std::cell::RefCell;

use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AnyPool, AssertSqlSafe, Row as _};

use crate::error::LogError;

/// A query in the making. It numbers its places (`$1`): sqlx's own builder writes `?` for both
/// databases, which Postgres does not understand.
#[derive(Debug, Clone)]
pub(crate) struct Sql {
    text: String,
    values: Vec<Value>,
}

#[derive(Debug, Clone)]
enum Value {
    Text(String),
    Number(i64),
}

tokio::task_local! {
    /// What is asked meanwhile, where somebody wants to know.
    static ASKED: RefCell<Vec<Sql>>;
}

/// Does something; the queries that it asks.
pub(crate) async fn asked<T>(work: impl Future<Output = T>) -> (T, Vec<Sql>) {
    let noted = async {
        let done = work.await;
        (done, ASKED.with(RefCell::take))
    };
    ASKED.scope(RefCell::default(), noted).await
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
        let _nobody_wants_to_know = ASKED.try_with(|asked| asked.borrow_mut().push(self.clone()));
        self.bound().fetch_all(pool).await.map_err(LogError::database(what))
    }

    fn bound(self) -> Query<'static, Any, AnyArguments> {
        // Only this program's own words are in the text; everything else is bound.
        let query = sqlx::query(AssertSqlSafe(self.text));
        self.values.into_iter().fold(query, |query, value| match value {
            Value::Text(text) => query.bind(text),
            Value::Number(number) => query.bind(number),
        })
    }

    /// The lines of the database's plan for it. Postgres reads a small table whole although it has an index: it is asked for
    /// what it would do with a large one.
    pub(crate) async fn plan(
        self,
        pool: &AnyPool,
        postgres: bool,
    ) -> Result<Vec<String>, LogError> {
        let told = self.told(pool, postgres).await;
        told.map_err(LogError::database("asking how a query would be answered"))
    }

    async fn told(mut self, pool: &AnyPool, postgres: bool) -> Result<Vec<String>, sqlx::Error> {
        let (how, column) =
            if postgres { ("EXPLAIN ", "QUERY PLAN") } else { ("EXPLAIN QUERY PLAN ", "detail") };
        self.text.insert_str(0, how);
        let mut tx = pool.begin().await?;
        if postgres {
            sqlx::query("SET LOCAL enable_seqscan = off").execute(&mut *tx).await?;
        }
        let rows = self.bound().fetch_all(&mut *tx).await?;
        rows.iter().map(|row| row.try_get(column)).collect()
    }
}
