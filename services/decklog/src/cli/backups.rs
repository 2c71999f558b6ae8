//! Backups: datasets, repositories, snapshots.

use clap::{Args, Subcommand};

use super::{Named, NamedAct, Place};

#[derive(Debug, Subcommand)]
pub(crate) enum Backup {
    /// Which datasets are protected now, and which are not, and why.
    Status(Place),
    /// Lists the snapshots of a dataset, newest first.
    Snapshots(Named),
    /// Shows what a dataset's rule keeps and forgets, with the reason for each. Nothing is changed.
    Retention(Retention),
    /// Asks for a run of the job that restores a dataset.
    Restore(Restore),
    /// Shows how far a running backup, restore or check is, until it has ended: on a terminal in a line that is written
    /// over, elsewhere as lines of JSON.
    Watch(Watch),
    /// Lists a directory of a snapshot. The log hears that you looked, and no name.
    Browse(Browse),
    /// Finds files by name in the snapshots of a dataset, or of all. The log hears that you looked, and no name.
    Find(Find),
    /// Shows what differs between two snapshots of one repository. The log hears that you looked, and no name.
    Diff(Diff),
    /// Keeps a snapshot whatever the rule says.
    Hold(HoldSnapshot),
    /// Ends a hold. Somebody else does than set it.
    EndHold(SnapshotAct),
    /// Asks that snapshots be forgotten although the rule keeps them. Somebody else must approve.
    Forget(ForgetSnapshots),
    /// Approves what somebody else asked to be forgotten.
    ApproveForget(NamedAct),
    /// Declines it, or takes it back.
    DeclineForget(NamedAct),
    /// Prints the recovery report: step by step, what to restore from where, with what, and how long it took last time.
    Report(Place),
    /// Lists a dataset's restore tests.
    Tests(Named),
    /// Certifies a restore test. Somebody else does than asked for it.
    Certify(Certify),
}

#[derive(Debug, Args)]
pub(crate) struct Retention {
    /// The dataset.
    pub(crate) dataset: String,
    /// Only in this repository.
    #[arg(long)]
    pub(crate) repository: Option<String>,
    /// Accepted for clearness: this command never changes anything, jobs of kind `retention` do.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// As it will be at this instant or on this day, if the dataset's jobs make their snapshots until then.
    #[arg(long)]
    pub(crate) on: Option<String>,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The dataset.
    pub(crate) dataset: String,
    /// The snapshot: the first letters of its name, or latest.
    #[arg(default_value = "latest")]
    pub(crate) snapshot: String,
    /// Only this file or directory of it.
    #[arg(default_value = "")]
    pub(crate) path: String,
    /// The directory that is made, on the host that runs the job.
    #[arg(long)]
    pub(crate) to: String,
    /// The job that restores it; needed where there are several.
    #[arg(long)]
    pub(crate) job: Option<String>,
    /// The host on which it is restored: chooses the job that runs there.
    #[arg(long)]
    pub(crate) host: Option<String>,
    /// Why.
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// The run.
    pub(crate) run: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// Where to look.
#[derive(Debug, Args)]
pub(crate) struct Eyes {
    /// The dataset; found by the snapshot when absent.
    #[arg(long)]
    pub(crate) dataset: Option<String>,
    /// The host that looks; whoever wrote the snapshot, or has a job with its repository, when absent.
    #[arg(long)]
    pub(crate) host: Option<String>,
    /// Most names.
    #[arg(long, default_value_t = domain::backup::looking::NAMES)]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Browse {
    /// The snapshot: the first letters of its name, or REPOSITORY:LETTERS.
    pub(crate) snapshot: String,
    /// The directory of it.
    #[arg(default_value = "")]
    pub(crate) path: String,
    #[command(flatten)]
    pub(crate) eyes: Eyes,
}

#[derive(Debug, Args)]
pub(crate) struct Find {
    /// A glob: with a slash against the whole path, without one against the name.
    pub(crate) pattern: String,
    /// In this repository; in the one with the most snapshots when absent.
    #[arg(long)]
    pub(crate) repository: Option<String>,
    #[command(flatten)]
    pub(crate) eyes: Eyes,
}

#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// The older snapshot: the first letters of its name, or REPOSITORY:LETTERS.
    pub(crate) a: String,
    /// The newer snapshot.
    pub(crate) b: String,
    #[command(flatten)]
    pub(crate) eyes: Eyes,
}

#[derive(Debug, Args)]
pub(crate) struct HoldSnapshot {
    /// The dataset.
    pub(crate) dataset: String,
    /// The snapshot: the first letters of its name.
    pub(crate) snapshot: String,
    /// Until this instant or day; for as long as nobody ends it when absent.
    #[arg(long)]
    pub(crate) until: Option<String>,
    /// Why: a case, an order.
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct SnapshotAct {
    /// The dataset.
    pub(crate) dataset: String,
    /// The snapshot: the first letters of its name.
    pub(crate) snapshot: String,
    /// Why.
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct ForgetSnapshots {
    /// The dataset.
    pub(crate) dataset: String,
    /// The snapshots: the first letters of the name of each.
    #[arg(required = true)]
    pub(crate) snapshots: Vec<String>,
    /// Why.
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Certify {
    /// The dataset.
    pub(crate) dataset: String,
    /// The run of the test; the newest that is not certified when absent.
    #[arg(long)]
    pub(crate) run: Option<String>,
    /// What you say about it.
    #[arg(long)]
    pub(crate) statement: String,
    /// For a test that failed, what is done about it.
    #[arg(long)]
    pub(crate) corrective_action: Option<String>,
    #[command(flatten)]
    pub(crate) place: Place,
}
