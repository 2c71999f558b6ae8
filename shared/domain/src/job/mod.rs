//! Jobs: the definition as people write it, and the state of a job as its events tell it.

mod definition;
mod difference;
mod state;
mod yaml;

pub use definition::{
    AtLimit, CatchUp, Command, ExitCodes, JobDefinition, Kind, OutputRule, Overlap, Problem, Retry,
    Stop,
};
pub use difference::{Change, Difference, difference};
pub use state::{DefinitionText, Job, Pause, Proposal, Span};
pub use yaml::{DefinitionError, Document, json_schema, parse_yaml, to_yaml};
