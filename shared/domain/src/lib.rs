//! What Decklog knows and decides, and nothing else.
//!
//! This crate is pure: no clock, no randomness, no files, no network. Time, identities and entropy
//! are arguments. The same functions serve the scheduler, the executor, the recorder, the console's
//! preview, the simulation and the verifier, so that none of them can disagree with another.
//!
//! | module | is about |
//! |---|---|
//! | [`ids`], [`canonical`], [`keys`] | names, digests, signatures |
//! | [`event`] | every fact the log can hold, by kind and schema version |
//! | [`envelope`], [`flush`], [`leaf`] | the bytes a producer signs, sends, and the tree commits to |
//! | [`time`] | schedules, zones, occurrences |
//! | [`tzdb`] | what another version of the time zone database moves |
//! | [`calendar`] | named sets of days, fiscal years |
//! | [`site`] | what a site defines beside jobs: calendars, blackouts, locks, pools |
//! | [`backup`] | datasets, repositories, snapshots: what is protected, kept, and proven |
//! | [`print`] | documents, queues, numbered stock: what is printed, sent, and accounted for |
//! | [`job`] | definitions as people write them, and the state of a job |
//! | [`run`] | the life of one occurrence or request |
//! | [`review`], [`access`] | what people sign for: nights, and who may do what |
//! | [`request`] | what auditors ask to be shown, and whether the answer was enough |
//! | [`ledger`] | what the recorder accepts, voids and refuses |
//! | [`scheduler`], [`executor`] | what must happen next; what a host may say about it |
//! | [`expect`], [`night`] | what should have happened, and what did |
//! | [`controls`] | rules that an auditor tests, over everything that happened |
//! | [`forecast`] | what will run when |
//! | [`icalendar`] | the same for other programs to subscribe to |
//! | [`ocsf`] | events as security monitoring reads them |
//! | [`rehearsal`] | the night as it would go |
//! | [`why`] | why a run or an occurrence is as it is |
//! | [`incident`] | failures that somebody must deal with, and who is told |
//! | [`inquiry`] | questions that take several answers of the recorder |
//! | [`plan`] | whether definitions fit together |
//! | [`wire`] | messages between services |
//! | [`shell`] | words of a shell's line, as people paste them |
//! | [`import`] | other people's schedules |

pub mod access;
pub mod backup;
pub mod calendar;
pub mod canonical;
pub mod controls;
pub mod effect;
pub mod envelope;
pub mod event;
pub mod executor;
pub mod expect;
pub mod flush;
pub mod forecast;
pub mod icalendar;
pub mod ids;
pub mod import;
pub mod incident;
pub mod inquiry;
pub mod job;
pub mod keys;
pub mod leaf;
pub mod ledger;
pub mod night;
pub mod ocsf;
pub mod payload;
pub mod people;
pub mod plan;
pub mod print;
pub mod rehearsal;
pub mod request;
pub mod review;
pub mod run;
pub mod scheduler;
pub mod shell;
pub mod site;
pub mod time;
pub mod tzdb;
pub mod why;
pub mod wire;
