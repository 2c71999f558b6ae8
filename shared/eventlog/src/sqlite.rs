//! What is SQLite's own: rows by the hundred in one statement, in one immediate transaction.

use sqlx::{QueryBuilder, Sqlite, SqlitePool, Transaction};

use crate::error::LogError;
use crate::migrate::MODEL;
use crate::rows::{
    ActedRow, Commit, EventRow, LedgerRow, ProducerRow, ReadModel, StateRow, TurnRow,
};

/// Rows a statement: SQLite binds at most 32,766 values, and a row has up to 16.
const ROWS: usize = 500;

const STATE_UPSERT: &str = " ON CONFLICT (stream) DO UPDATE SET
    version = excluded.version, body = excluded.body, job = excluded.job,
    state = excluded.state, pool = excluded.pool, instant = excluded.instant, scheduled = excluded.scheduled,
    open = excluded.open, late = excluded.late, attempts = excluded.attempts, host = excluded.host,
    started = excluded.started, ended = excluded.ended, message = excluded.message";

type Tx = Transaction<'static, Sqlite>;

pub(crate) async fn commit(pool: &SqlitePool, commit: &Commit) -> Result<(), LogError> {
    let what = "beginning to append";
    // Immediate: the lock is taken before anything is read, so that two writers queue and do not fail.
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await.map_err(LogError::database(what))?;
    if !move_head(&mut tx, commit).await? {
        return Err(LogError::Fenced);
    }
    for part in commit.events.chunks(ROWS) {
        put_events(&mut tx, part).await?;
    }
    for part in commit.states.chunks(ROWS) {
        put_states(&mut tx, part).await?;
    }
    for part in commit.turns.chunks(ROWS) {
        put_turns(&mut tx, part).await?;
    }
    for part in commit.acted.chunks(ROWS) {
        put_acted(&mut tx, part).await?;
    }
    put_producers(&mut tx, &commit.producers).await?;
    if let Some(row) = &commit.ledger {
        put_ledger(&mut tx, row).await?;
    }
    tx.commit().await.map_err(LogError::database("committing a batch"))
}

async fn move_head(tx: &mut Tx, commit: &Commit) -> Result<bool, LogError> {
    let sql = "UPDATE head SET size = $1, root = $2, frontier = $3, received = $4
               WHERE id = 1 AND size = $5 AND root = $6";
    let done = sqlx::query(sql)
        .bind(commit.new_size)
        .bind(commit.new_root.0.as_slice())
        .bind(&commit.frontier)
        .bind(commit.received)
        .bind(commit.old_size)
        .bind(commit.old_root.0.as_slice())
        .execute(&mut **tx)
        .await
        .map_err(LogError::database("moving the head"))?;
    Ok(done.rows_affected() == 1)
}

async fn put_events(tx: &mut Tx, rows: &[EventRow]) -> Result<(), LogError> {
    let mut query: QueryBuilder<Sqlite> = QueryBuilder::new(
        "INSERT INTO event (position, leaf, leaf_hash, event_id, producer, pseq, stream, version, kind, received, void) ",
    );
    query.push_values(rows, |mut row, event| {
        row.push_bind(event.position)
            .push_bind(event.leaf.as_slice())
            .push_bind(event.leaf_hash.0.as_slice())
            .push_bind(event.event_id.as_str())
            .push_bind(event.producer.as_str())
            .push_bind(event.pseq)
            .push_bind(event.stream.as_str())
            .push_bind(event.version)
            .push_bind(event.kind.as_str())
            .push_bind(event.received)
            .push_bind(event.void.as_deref());
    });
    run(tx, query, "appending events").await
}

async fn put_states(tx: &mut Tx, rows: &[StateRow]) -> Result<(), LogError> {
    let mut query: QueryBuilder<Sqlite> = QueryBuilder::new(
        "INSERT INTO state (stream, type, version, body, job, state, pool, instant, scheduled, open, late,
                            attempts, host, started, ended, message) ",
    );
    query.push_values(rows, |mut row, state| {
        row.push_bind(state.stream.as_str())
            .push_bind(state.kind)
            .push_bind(state.version)
            .push_bind(state.body.as_deref())
            .push_bind(state.run.job.as_deref())
            .push_bind(state.run.state.as_deref())
            .push_bind(state.run.pool.as_deref())
            .push_bind(state.run.instant)
            .push_bind(state.run.scheduled)
            .push_bind(state.run.open)
            .push_bind(state.run.late)
            .push_bind(state.run.attempts)
            .push_bind(state.run.host.as_deref())
            .push_bind(state.run.started)
            .push_bind(state.run.ended)
            .push_bind(state.run.message.as_deref());
    });
    query.push(STATE_UPSERT);
    run(tx, query, "updating the read model").await
}

async fn put_turns(tx: &mut Tx, rows: &[TurnRow]) -> Result<(), LogError> {
    let mut query: QueryBuilder<Sqlite> =
        QueryBuilder::new("INSERT INTO turn (job, settled, busy, leased, ahead, holders) ");
    query.push_values(rows, |mut row, turn| {
        row.push_bind(turn.job.as_str())
            .push_bind(turn.settled)
            .push_bind(turn.busy.as_deref())
            .push_bind(turn.leased.as_deref())
            .push_bind(turn.ahead.as_deref())
            .push_bind(turn.holders.as_deref());
    });
    query.push(
        " ON CONFLICT (job) DO UPDATE SET settled = excluded.settled, busy = excluded.busy,
                leased = excluded.leased, ahead = excluded.ahead, holders = excluded.holders",
    );
    run(tx, query, "noting where jobs stand").await
}

async fn put_acted(tx: &mut Tx, rows: &[ActedRow]) -> Result<(), LogError> {
    let mut query: QueryBuilder<Sqlite> =
        QueryBuilder::new("INSERT INTO acted (actor, position, stream, kind) ");
    query.push_values(rows, |mut row, acted| {
        row.push_bind(acted.actor.as_str())
            .push_bind(acted.position)
            .push_bind(acted.stream.as_str())
            .push_bind(acted.kind.as_str());
    });
    run(tx, query, "noting who acted").await
}

async fn put_producers(tx: &mut Tx, rows: &[ProducerRow]) -> Result<(), LogError> {
    for part in rows.chunks(ROWS) {
        let mut query: QueryBuilder<Sqlite> =
            QueryBuilder::new("INSERT INTO producer (id, key, pseq, last, revoked, adrift) ");
        query.push_values(part, |mut row, producer| {
            row.push_bind(producer.id.as_str())
                .push_bind(producer.key.as_str())
                .push_bind(producer.pseq)
                .push_bind(producer.last.as_slice())
                .push_bind(producer.revoked)
                .push_bind(producer.adrift);
        });
        query.push(" ON CONFLICT (id) DO UPDATE SET key = excluded.key, pseq = excluded.pseq, last = excluded.last, revoked = excluded.revoked, adrift = excluded.adrift");
        run(tx, query, "noting where producers stand").await?;
    }
    Ok(())
}

async fn put_ledger(tx: &mut Tx, row: &LedgerRow) -> Result<(), LogError> {
    let sql = "UPDATE ledger SET origin = $1, head_key = $2, self_approval = $3, accounts = $4, model = $5 WHERE id = 1";
    sqlx::query(sql)
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

async fn run(
    tx: &mut Tx,
    mut query: QueryBuilder<Sqlite>,
    what: &'static str,
) -> Result<(), LogError> {
    query.build().execute(&mut **tx).await.map_err(LogError::database(what))?;
    Ok(())
}

/// Replaces the read model, if the log still has the size that it was computed for.
pub(crate) async fn put_all(pool: &SqlitePool, model: &ReadModel<'_>) -> Result<bool, LogError> {
    let what = "rebuilding the read model";
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await.map_err(LogError::database(what))?;
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
    for part in model.states.chunks(ROWS) {
        put_states(&mut tx, part).await?;
    }
    for part in model.turns.chunks(ROWS) {
        put_turns(&mut tx, part).await?;
    }
    for part in model.acted.chunks(ROWS) {
        put_acted(&mut tx, part).await?;
    }
    put_producers(&mut tx, &model.producers).await?;
    put_ledger(&mut tx, &model.ledger).await?;
    tx.commit().await.map_err(LogError::database(what))?;
    Ok(true)
}

/// Forgets the leaves behind one position, up to another.
pub(crate) async fn detach(pool: &SqlitePool, gone: i64, to: i64) -> Result<(), LogError> {
    let what = "detaching what is archived";
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await.map_err(LogError::database(what))?;
    let moved = sqlx::query("UPDATE detached SET size = $2 WHERE id = 1 AND size = $1")
        .bind(gone)
        .bind(to)
        .execute(&mut *tx)
        .await
        .map_err(LogError::database(what))?;
    if moved.rows_affected() != 1 {
        return Err(LogError::Fenced);
    }
    sqlx::query("UPDATE event SET leaf = x'' WHERE position > $1 AND position <= $2")
        .bind(gone)
        .bind(to)
        .execute(&mut *tx)
        .await
        .map_err(LogError::database(what))?;
    tx.commit().await.map_err(LogError::database(what))
}
