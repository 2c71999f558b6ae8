//! The limit an append is compared with: the same bytes into a table without any of our rules.

use std::time::Instant;

use crate::connect::{Backend, EventLog};
use crate::error::LogError;

const WHAT: &str = "measuring a plain INSERT";

impl EventLog {
    /// Rows a second of a plain batched INSERT of `rows` into a table of its own, durable after each
    /// batch; the table is dropped again. For measurements only.
    ///
    /// # Errors
    /// The database failed.
    pub async fn plain_insert_rate(&self, rows: &[Vec<u8>], batch: usize) -> Result<f64, LogError> {
        let bad = || LogError::database(WHAT);
        let kind = if self.is_postgres() { "bytea" } else { "blob" };
        let create = format!("CREATE TABLE bench_plain (position bigint PRIMARY KEY, leaf {kind} NOT NULL)");
        sqlx::query(sqlx::AssertSqlSafe(create)).execute(&self.any).await.map_err(bad())?;
        let started = Instant::now();
        let mut position = 0;
        for part in rows.chunks(batch) {
            self.plain_batch(position, part).await?;
            position += i64::try_from(part.len()).unwrap_or(i64::MAX);
        }
        let rate = rows.len() as f64 / started.elapsed().as_secs_f64();
        sqlx::query("DROP TABLE bench_plain").execute(&self.any).await.map_err(bad())?;
        Ok(rate)
    }

    async fn plain_batch(&self, after: i64, rows: &[Vec<u8>]) -> Result<(), LogError> {
        let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
        match &self.backend {
            Backend::Postgres(pool) => {
                let positions: Vec<i64> = (after + 1..=after + count).collect();
                let leaves: Vec<&[u8]> = rows.iter().map(Vec::as_slice).collect();
                let sql = "INSERT INTO bench_plain SELECT * FROM unnest($1::bigint[], $2::bytea[])";
                sqlx::query(sql).bind(positions).bind(leaves).execute(pool).await
                    .map_err(LogError::database(WHAT))?;
            }
            Backend::Sqlite(pool) => {
                let mut tx = pool.begin().await.map_err(LogError::database(WHAT))?;
                for (index, part) in rows.chunks(500).enumerate() {
                    let mut query: sqlx::QueryBuilder<sqlx::Sqlite> =
                        sqlx::QueryBuilder::new("INSERT INTO bench_plain ");
                    let mut position = after + i64::try_from(index * 500).unwrap_or(0);
                    query.push_values(part, |mut row, leaf| {
                        position += 1;
                        row.push_bind(position).push_bind(leaf.as_slice());
                    });
                    query.build().execute(&mut *tx).await.map_err(LogError::database(WHAT))?;
                }
                tx.commit().await.map_err(LogError::database(WHAT))?;
            }
        }
        Ok(())
    }
}
