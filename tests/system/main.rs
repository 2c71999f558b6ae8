//! The whole of Decklog as its users meet it: real programs, real servers, real faults.
//!
//! | module | what it holds |
//! |---|---|
//! | [`archived`] | segments of the log that move into files, under kill -9 |
//! | [`backup_night`] | the example of the README that saves and restores |
//! | [`backups`] | a night of backups, and engines that are killed |
//! | [`cli`] | the command line tool and the API of one `decklog up` |
//! | [`compose`] | `compose.yaml` held against the programs |
//! | [`embedded`] | `decklog up` under kill -9 |
//! | [`distributed`] | every role as its own process against Postgres and NATS, under every fault we know |
//! | [`evidence`] | the count: nothing lost, nothing twice, nothing unaccounted |
//! | [`forwarded`] | events and heads at a collector of logs |
//! | [`handbook`] | the pages of `ops/handbook`, run and compared |
//! | [`incidents`] | failures, who is told of them, and who deals with them |
//! | [`inclusion`] | the proof that an event is in the log, checked by another program |
//! | [`looking`] | names of files in snapshots, and how far a backup is |
//! | [`people`] | accounts: who may do what, what takes two people, coming in and being shut out |
//! | [`pages`] | the console as somebody sees it without scripts |
//! | [`print_night`] | the example of the README that ends on paper and in the mail |
//! | [`prints`] | documents, checks and forms, printers that jam, and kills in between |
//! | [`programs`] | finding, building and running the programs |
//! | [`seen`] | heads of the log that services have verified, and a log that is another one |
//! | [`witnessed`] | evidence: a witness, an export, and verifiers that know no server |
//! | [`site`] | an installation of many processes, kept alive as systemd would |
#![expect(clippy::unwrap_used, reason = "in a test a failure is to stop it, in its helpers too")]

mod archived;
mod backup_night;
mod backups;
mod browser;
mod cli;
mod compose;
mod distributed;
mod embedded;
mod evidence;
mod forwarded;
mod fuzz;
mod handbook;
mod incidents;
mod inclusion;
mod joining;
mod looking;
mod mornings;
mod pages;
mod people;
mod print_night;
mod prints;
mod programs;
mod restored;
mod seen;
mod site;
mod witnessed;
