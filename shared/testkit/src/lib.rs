//! Servers, processes and waiting, for tests only.
//!
//! | module | what a test gets |
//! |---|---|
//! | [`postgres`] | a throw-away Postgres cluster that can be stopped, killed and started again |
//! | [`nats`] | a throw-away nats-server, with or without JetStream, whose storage can be deleted |
//! | [`storage`] | servers that keep files for others: SFTP, S3, restic's REST interface |
//! | [`printing`] | printers: one that fails as it is told, Debian's simulator, and a print server |
//! | [`authority`] | a time-stamping authority: openssl, over HTTP |
//! | [`mail`] | mail servers: a real one whose mail can be read back, and one that follows a script |
//! | [`port`] | ports for servers that others start |
//! | [`process`] | any other program as a child, with its output and its signals |
//! | [`restic`] | the programs restic of this machine |
//! | [`wait`] | waiting for a condition instead of sleeping |
//! | [`world`] | a whole site in memory under a virtual clock, with every fault we can think of |
//!
//! Every server lives in its own directory and on its own loopback port, and is ended by its process
//! id when its value is dropped, so tests run side by side and leave nothing behind.

pub mod authority;
pub mod installed;
pub mod mail;
pub mod nats;
pub mod port;
pub mod postgres;
pub mod printing;
pub mod process;
pub mod restic;
pub mod storage;
pub mod wait;
pub mod world;

/// Said by every error about a missing program.
const RUN_SETUP: &str = "run ops/dev/setup, which installs what the tests need";
