//! The rules of the product, as tables.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod acts;
mod executor;
mod expect;
mod forecast;
mod given;
mod job;
mod ledger;
mod run;
mod scheduler;
