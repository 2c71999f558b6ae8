//! A whole executor with real processes, and a centre in memory that judges like the recorder.
#![expect(clippy::unwrap_used, reason = "in a test a failure is to stop it, in its helpers too")]

mod alone;
mod centre;
mod check;
mod drain;
mod needs;
mod starts;
mod world;
mod year;
