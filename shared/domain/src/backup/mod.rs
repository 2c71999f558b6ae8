//! Backups that can be restored: what must be protected, what protects it, what is kept, and what was proven.
//!
//! | module | is about |
//! |---|---|
//! | `dataset`, `repository` | the two as people write them |
//! | `work` | what jobs do: the sections of their kinds, and the lease of a repository |
//! | [`record`] | a dataset and a repository as their events tell it |
//! | [`protection`] | whether a dataset is protected now |
//! | [`retention`] | which snapshots are kept, and why |
//! | [`anomaly`] | what is unusual about a snapshot |
//! | [`sample`](mod@sample) | which files a restore test takes |
//! | [`choosing`] | which snapshots are meant |
//! | [`looking`] | names of files in snapshots: what is asked of a host, and what it tells |
//! | [`restoring`] | what a restore is asked for with: by which job, with which values |
//! | [`progress`] | how far a backup is, for people who wait |
//! | [`admit`] | what the recorder accepts |
//! | [`saying`] | what an executor has to say after an attempt |

pub mod admit;
pub mod anomaly;
pub mod choosing;
mod dataset;
pub mod looking;
pub mod progress;
pub mod protection;
pub mod record;
mod repository;
pub mod restoring;
pub mod retention;
pub mod sample;
pub mod saying;
mod work;

pub use dataset::{DatasetDefinition, RetentionRule};
pub use protection::Protection;
pub use record::{Dataset, Repository, Snapshot};
pub use repository::{EngineName, RepositoryDefinition, STORAGE_KEYS};
pub use retention::{Verdict, plan};
pub use sample::sample;
pub use work::{
    BackupWork, CheckWork, CopyWork, Hook, OutputOf, PruneWork, RestoreTestWork, RestoreWork,
    RetentionWork, claim_name, claimed,
};
