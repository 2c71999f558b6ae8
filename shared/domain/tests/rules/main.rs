//! The rules of the product, as tables.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod acts;
mod calendar_oracle;
mod calendars;
mod executor;
mod expect;
mod forecast;
mod given;
mod job;
mod ledger;
mod recorder;
mod run;
mod scheduler;
mod site;
mod versions;
mod why;
mod windows;
