//! Attempts with real processes, real signals and real kills.
#![expect(clippy::unwrap_used, reason = "in a test a failure is to stop it, in its helpers too")]

mod endings;
mod output;
mod secrets;
mod survival;
mod users;
mod world;
