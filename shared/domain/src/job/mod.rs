//! Jobs: the definition as people write it, and the state of a job as its events tell it.
//!
//! | module | is about |
//! |---|---|
//! | `definition` | a job as it stands in a file, and what is wrong with it |
//! | `parts` | the command, retry, exit codes, output |
//! | `ordering` | when a run may start beside its instant: windows, other jobs, files, a word, locks |
//! | `placing` | where it may go |
//! | `texts` | what in the output decides an outcome |
//! | `work` | what a job does that is no command |
//! | [`parameters`], [`secrets`] | values that differ from run to run, and those no event holds |
//! | `stretches` | the times in which its schedule is one and the same |
//! | `state` | a job as its events tell it |
//! | `requests` | changes that are asked for, and what people say of them |
//! | `document`, [`flow`] | files: jobs, flows, and what else a site defines |
//! | `difference` | what a plan shows |
//! | `words` | what a definition says, for people |

mod definition;
mod difference;
mod document;
pub mod flow;
mod ordering;
pub mod parameters;
mod parts;
mod placing;
mod requests;
pub mod secrets;
mod state;
mod stretches;
mod texts;
mod words;
mod work;
mod yaml;

pub(crate) use definition::DEFINITION_BYTES_MAX;
pub use definition::{
    Autonomy, BACKUP_MEMORY_BYTES, JobDefinition, Kind, PRINT_MEMORY_BYTES, Problem,
    RESTORE_MEMORY_BYTES,
};
pub use difference::{Change, Difference, difference, thing_difference};
pub use document::{Definition, DefinitionError, Document, parse_yaml};
pub use ordering::{
    After, AtEnd, By, Claim, Confirm, LengthLimit, Need, Share, Sla, WhichRun, Window,
};
pub use parameters::{Parameter, ParameterType, Tokens};
pub use parts::{
    AtLimit, CatchUp, Codes, Command, ExitCodes, Limits, OutputRule, Overlap, Retry, RetryHost,
    Stop,
};
pub use placing::{Hosts, Prefer, Selector, Values, selects};
pub(crate) use requests::admit_change;
pub use requests::{ChangeOutcome, ChangeRequest, Comment, EXPEDITED_MS_MAX, Expedited, Looked};
pub use state::{
    DefinitionText, JOB_STATES, Job, Lease, ORDERS_MAX, Order, OrderAct, Pause, Piece, Proposal,
    Returned, Span, Versions,
};
pub(crate) use state::{give_back, grant, holds_from, pieces};
pub use stretches::{Almanacs, SchedulePart, Stretch};
pub use texts::{LineText, OutputTexts};
pub use words::words;
pub use work::Work;
pub use yaml::{SCHEMAS, json_schema, thing_to_yaml, to_yaml};
