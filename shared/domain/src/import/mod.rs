//! Taking over what other schedulers hold. Pure: text in, jobs and remarks out; nothing is silently dropped.
//!
//! | module | is about |
//! |---|---|
//! | [`crontab`] | crontab(5) files, of a user or of the system |

pub mod crontab;
