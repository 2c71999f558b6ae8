//! The rules of the product, as tables.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod acts;
mod backups;
mod calendar_oracle;
mod calendars;
mod changes;
mod complaints;
mod effects;
mod executor;
mod expect;
mod forecast;
mod given;
mod icalendar;
mod job;
mod late;
mod ledger;
mod locks;
mod looking;
mod musts;
mod orders;
mod parameters;
mod people;
mod prints;
mod progress;
mod recorder;
mod rehearsal;
mod rehearsal_oracle;
mod reviews;
mod run;
mod scheduler;
mod site;
mod tzdb;
mod versions;
mod waiting;
mod why;
mod windows;
