//! What is Postgres' own: one call of the append function, and the read model by arrays.

use sqlx::{PgPool, Postgres, Transaction};

use crate::error::LogError;
use crate::migrate::MODEL;
use crate::rows::{
    ActedRow, Commit, EventRow, LedgerRow, ProducerRow, ReadModel, StateRow, TurnRow,
};

const APPEND: &str = "SELECT decklog_append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)";

const STATES: &str = "
INSERT INTO state (stream, type, version, body, job, state, pool, instant, scheduled, open, late,
                   attempts, host, started, ended, message)
SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[],
                     $7::text[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[],
                     $13::text[], $14::bigint[], $15::bigint[], $16::text[])
ON CONFLICT (stream) DO UPDATE SET
    version = excluded.version, body = excluded.body, job = excluded.job,
    state = excluded.state, pool = excluded.pool, instant = excluded.instant, scheduled = excluded.scheduled,
    open = excluded.open, late = excluded.late, attempts = excluded.attempts, host = excluded.host,
    started = excluded.started, ended = excluded.ended, message = excluded.message";

const TURNS: &str = "
INSERT INTO turn (job, settled, busy, leased, ahead, holders)
SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[])
ON CONFLICT (job) DO UPDATE SET settled = excluded.settled, busy = excluded.busy,
    leased = excluded.leased, ahead = excluded.ahead, holders = excluded.holders";

const ACTED: &str = "INSERT INTO acted (actor, position, stream, kind)
     SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[])";

const PRODUCERS: &str = "
INSERT INTO producer (id, key, pseq, last, revoked, adrift)
SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bytea[], $5::bigint[], $6::bigint[])
ON CONFLICT (id) DO UPDATE SET key = excluded.key, pseq = excluded.pseq, last = excluded.last,
    revoked = excluded.revoked, adrift = excluded.adrift";

const LEDGER: &str = "UPDATE ledger SET origin = $1, head_key = $2, self_approval = $3, accounts = $4, model = $5 WHERE id = 1";

type Tx = Transaction<'static, Postgres>;

pub(crate) async fn commit(pool: &PgPool, commit: &Commit) -> Result<(), LogError> {
    let mut tx = pool.begin().await.map_err(LogError::database("beginning to append"))?;
    if !append(&mut tx, commit).await? {
        return Err(LogError::Fenced);
    }
    put_states(&mut tx, &commit.states).await?;
    put_turns(&mut tx, &commit.turns).await?;
    put_acted(&mut tx, &commit.acted).await?;
    put_producers(&mut tx, &commit.producers).await?;
    if let Some(row) = &commit.ledger {
        put_ledger(&mut tx, row).await?;
    }
    tx.commit().await.map_err(LogError::database("committing a batch"))
}

async fn append(tx: &mut Tx, commit: &Commit) -> Result<bool, LogError> {
    fn column<T>(rows: &[EventRow], of: impl Fn(&EventRow) -> T) -> Vec<T> {
        rows.iter().map(of).collect()
    }
    let rows = &commit.events;
    let row: (bool,) = sqlx::query_as(APPEND)
        .bind(commit.old_size)
        .bind(commit.new_size)
        .bind(commit.old_root.0.as_slice())
        .bind(commit.new_root.0.as_slice())
        .bind(&commit.frontier)
        .bind(commit.received)
        .bind(column(rows, |r| r.position))
        .bind(rows.iter().map(|r| r.leaf.as_slice()).collect::<Vec<_>>())
        .bind(rows.iter().map(|r| r.leaf_hash.0.as_slice()).collect::<Vec<_>>())
        .bind(rows.iter().map(|r| r.event_id.as_str()).collect::<Vec<_>>())
        .bind(rows.iter().map(|r| r.producer.as_str()).collect::<Vec<_>>())
        .bind(column(rows, |r| r.pseq))
        .bind(rows.iter().map(|r| r.stream.as_str()).collect::<Vec<_>>())
        .bind(column(rows, |r| r.version))
        .bind(rows.iter().map(|r| r.kind.as_str()).collect::<Vec<_>>())
        .bind(column(rows, |r| r.received))
        .bind(rows.iter().map(|r| r.void.as_deref()).collect::<Vec<_>>())
        .fetch_one(&mut **tx)
        .await
        .map_err(LogError::database("appending events"))?;
    Ok(row.0)
}

async fn put_states(tx: &mut Tx, rows: &[StateRow]) -> Result<(), LogError> {
    fn column<'a, T>(rows: &'a [StateRow], of: impl Fn(&'a StateRow) -> T) -> Vec<T> {
        rows.iter().map(of).collect()
    }
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(STATES)
        .bind(column(rows, |r| r.stream.as_str()))
        .bind(column(rows, |r| r.kind))
        .bind(column(rows, |r| r.version))
        .bind(column(rows, |r| r.body.as_deref()))
        .bind(column(rows, |r| r.run.job.as_deref()))
        .bind(column(rows, |r| r.run.state.as_deref()))
        .bind(column(rows, |r| r.run.pool.as_deref()))
        .bind(column(rows, |r| r.run.instant))
        .bind(column(rows, |r| r.run.scheduled))
        .bind(column(rows, |r| r.run.open))
        .bind(column(rows, |r| r.run.late))
        .bind(column(rows, |r| r.run.attempts))
        .bind(column(rows, |r| r.run.host.as_deref()))
        .bind(column(rows, |r| r.run.started))
        .bind(column(rows, |r| r.run.ended))
        .bind(column(rows, |r| r.run.message.as_deref()))
        .execute(&mut **tx)
        .await
        .map_err(LogError::database("updating the read model"))?;
    Ok(())
}

async fn put_turns(tx: &mut Tx, rows: &[TurnRow]) -> Result<(), LogError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(TURNS)
        .bind(rows.iter().map(|r| r.job.as_str()).collect::<Vec<_>>())
        .bind(rows.iter().map(|r| r.settled).collect::<Vec<_>>())
        .bind(rows.iter().map(|r| r.busy.as_deref()).collect::<Vec<_>>())
        .bind(rows.iter().map(|r| r.leased.as_deref()).collect::<Vec<_>>())
        .bind(rows.iter().map(|r| r.ahead.as_deref()).collect::<Vec<_>>())
        .bind(rows.iter().map(|r| r.holders.as_deref()).collect::<Vec<_>>())
        .execute(&mut **tx)
        .await
        .map_err(LogError::database("noting where jobs stand"))?;
    Ok(())
}

async fn put_acted(tx: &mut Tx, rows: &[ActedRow]) -> Result<(), LogError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(ACTED)
        .bind(rows.iter().map(|r| r.actor.as_str()).collect::<Vec<_>>())
        .bind(rows.iter().map(|r| r.position).collect::<Vec<_>>())
        .bind(rows.iter().map(|r| r.stream.as_str()).collect::<Vec<_>>())
        .bind(rows.iter().map(|r| r.kind.as_str()).collect::<Vec<_>>())
        .execute(&mut **tx)
        .await
        .map_err(LogError::database("noting who acted"))?;
    Ok(())
}

async fn put_producers(tx: &mut Tx, rows: &[ProducerRow]) -> Result<(), LogError> {
    sqlx::query(PRODUCERS)
        .bind(rows.iter().map(|r| r.id.as_str()).collect::<Vec<_>>())
        .bind(rows.iter().map(|r| r.key.as_str()).collect::<Vec<_>>())
        .bind(rows.iter().map(|r| r.pseq).collect::<Vec<_>>())
        .bind(rows.iter().map(|r| r.last.as_slice()).collect::<Vec<_>>())
        .bind(rows.iter().map(|r| r.revoked).collect::<Vec<_>>())
        .bind(rows.iter().map(|r| r.adrift).collect::<Vec<_>>())
        .execute(&mut **tx)
        .await
        .map_err(LogError::database("noting where producers stand"))?;
    Ok(())
}

async fn put_ledger(tx: &mut Tx, row: &LedgerRow) -> Result<(), LogError> {
    sqlx::query(LEDGER)
        .bind(row.origin.as_deref())
        .bind(row.head_key.as_deref())
        .bind(row.self_approval)
        .bind(row.accounts)
        .bind(MODEL)
        .execute(&mut **tx)
        .await
        .map_err(LogError::database("noting the log's rules"))?;
    Ok(())
}

/// Replaces the read model, if the log still has the size that it was computed for.
pub(crate) async fn put_all(pool: &PgPool, model: &ReadModel<'_>) -> Result<bool, LogError> {
    let what = "rebuilding the read model";
    let mut tx = pool.begin().await.map_err(LogError::database(what))?;
    // Whoever appends writes here too: once this lock is held, what the head says stays true.
    let lock = "LOCK TABLE state, turn, acted, producer, ledger IN EXCLUSIVE MODE";
    sqlx::query(lock).execute(&mut *tx).await.map_err(LogError::database(what))?;
    let head = sqlx::query_as("SELECT size FROM head WHERE id = 1").fetch_one(&mut *tx).await;
    let (size,): (i64,) = head.map_err(LogError::database(what))?;
    if size != model.size {
        return Ok(false);
    }
    for rows in
        ["DELETE FROM state", "DELETE FROM turn", "DELETE FROM acted", "DELETE FROM producer"]
    {
        sqlx::query(rows).execute(&mut *tx).await.map_err(LogError::database(what))?;
    }
    for part in model.states.chunks(1_000) {
        put_states(&mut tx, part).await?;
    }
    for part in model.turns.chunks(1_000) {
        put_turns(&mut tx, part).await?;
    }
    for part in model.acted.chunks(10_000) {
        put_acted(&mut tx, part).await?;
    }
    put_producers(&mut tx, &model.producers).await?;
    put_ledger(&mut tx, &model.ledger).await?;
    tx.commit().await.map_err(LogError::database(what))?;
    Ok(true)
}

/// Has the next partition without leaves take the place of one that is archived up to a position; up to where they are gone.
pub(crate) async fn detach(pool: &PgPool, to: i64) -> Result<i64, LogError> {
    let done = sqlx::query_as("SELECT decklog_detach($1)").bind(to).fetch_one(pool).await;
    let (gone,): (i64,) = done.map_err(LogError::database("detaching what is archived"))?;
    Ok(gone)
}

/// The last position of the partition that one is in.
pub(crate) async fn partition_end(pool: &PgPool, position: i64) -> Result<Option<i64>, LogError> {
    let sql = "SELECT b.bounds[2]::bigint - 1 FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid,
        LATERAL regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \\(''?(\\d+)''?\\) TO \\(''?(\\d+)''?\\)') AS b(bounds)
        WHERE i.inhparent = 'public.event'::regclass AND b.bounds[1]::bigint <= $1 AND $1 < b.bounds[2]::bigint";
    let found = sqlx::query_as(sql).bind(position).fetch_optional(pool).await;
    let found: Option<(i64,)> = found.map_err(LogError::database("looking at the partitions"))?;
    Ok(found.map(|(end,)| end))
}

pub(crate) async fn may_detach(pool: &PgPool) -> Result<bool, LogError> {
    let sql = "SELECT has_function_privilege('decklog_detach(bigint)', 'EXECUTE')";
    let asked = sqlx::query_as(sql).fetch_one(pool).await;
    let (may,): (bool,) = asked.map_err(LogError::database("looking who may detach"))?;
    Ok(may)
}
