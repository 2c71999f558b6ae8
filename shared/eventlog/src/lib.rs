//! The log and its read model in Postgres and SQLite: append, follow, query, rebuild.
//!
//! *Invariant:* one batch is one transaction: events, their keys, the read model, and the
//! compare-and-swap of the head row. A second recorder that read the same head changes nothing.
//!
//! SQL that both databases understand is written once, in [`mod@read`] and [`mod@query`], and bound through
//! `sqlx::Any`; what differs stands in `postgres.rs` and `sqlite.rs`.

mod append;
mod archive;
mod archiving;
mod connect;
mod error;
mod guards;
mod migrate;
mod plain;
mod postgres;
mod proof;
pub mod query;
pub mod read;
mod rebuild;
mod rows;
mod sql;
mod sqlite;

pub use append::{Appended, Appender, Refused};
pub use archive::{Archive, ArchiveError, Written};
pub use connect::{Access, EventLog};
pub use error::LogError;
pub use guards::Weakness;
pub use migrate::MigrationState;
pub use rebuild::Rebuilt;
