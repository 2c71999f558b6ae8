//! A producer's journal: what it promises, cut at every byte, killed, full and contradicted.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod file;
mod given;
mod heads;
mod kill;
mod outbox;
mod tail;
