//! Documents are delivered to servers nobody here wrote, and to some that break off.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a step that fails is a failed test"
)]

mod dropped;
mod filing;
mod mailing;
mod over_sftp;
mod support;
