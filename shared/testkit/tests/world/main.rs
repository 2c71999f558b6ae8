//! Worlds from seeds, and short ones by script. See `testkit::world`.

#![expect(clippy::unwrap_used, reason = "a test may panic; helpers are not marked as tests")]

mod alone;
mod rehearsal;
mod restored;
mod scripted;
mod seeds;
