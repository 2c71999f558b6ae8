//! What the client says of printers: one that fails as it is told, servers that break off anywhere, Debian's simulator
//! and a print server.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a step that fails is a failed test")]

mod asking;
mod cups;
mod faults;
mod finding;
mod lost;
mod nonsense;
mod restarts;
mod simulator;
mod support;
mod trust;
