//! What every form of the bus has to do, tried on both; and what NATS has to survive.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod outages;
mod place;
mod requests;
mod topics;
mod work;
