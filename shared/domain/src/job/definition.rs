//! What a job says.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ordering::{After, By, Claim, Confirm, Need, Share, Sla, Window};
use super::parameters::{Parameter, is_parameter, token_problems};
use super::parts::{CatchUp, Command, ExitCodes, Limits, OutputRule, Overlap, Retry, Stop};
use super::placing::{Hosts, Prefer, Selector};
use super::secrets::SecretRef;
use super::texts::LineText;
use super::work::Work;
use crate::backup::{
    BackupWork, CheckWork, CopyWork, PruneWork, RestoreTestWork, RestoreWork, RetentionWork,
};
use crate::canonical::{Digest, canonical};
use crate::event::{DefinitionRef, RetryOn, RetryRule};
use crate::ids::is_name;
use crate::incident::OnFailure;
use crate::print::PrintWork;
use crate::time::{
    CalendarRule, DstPolicy, HumanDuration, Otherwise, Schedule, ScheduleError, ScheduleSpec,
};

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Runs a command on a host.
    #[default]
    Command,
    /// Makes a snapshot of a dataset.
    Backup,
    /// Brings a dataset's snapshots into another repository.
    BackupCopy,
    /// Reads what a repository holds.
    BackupCheck,
    /// Forgets what a dataset's rule does not keep.
    Retention,
    /// Frees the space of what was forgotten.
    Prune,
    /// Brings back a snapshot, or a part of one.
    Restore,
    /// Proves that a dataset can be restored.
    RestoreTest,
    /// Prints documents, sends them, or both.
    Print,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Command,
        Self::Backup,
        Self::BackupCopy,
        Self::BackupCheck,
        Self::Retention,
        Self::Prune,
        Self::Restore,
        Self::RestoreTest,
        Self::Print,
    ];

    /// The word, which is also the name of its section.
    pub fn word(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Backup => "backup",
            Self::BackupCopy => "backup-copy",
            Self::BackupCheck => "backup-check",
            Self::Retention => "retention",
            Self::Prune => "prune",
            Self::Restore => "restore",
            Self::RestoreTest => "restore-test",
            Self::Print => "print",
        }
    }
}

/// A job, as written in a YAML document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct JobDefinition {
    /// Its name: `[a-z0-9][a-z0-9._-]{0,62}`.
    pub name: String,
    /// What it does.
    #[serde(default)]
    pub kind: Kind,
    /// What it is for, in a sentence.
    #[serde(default)]
    pub description: String,
    /// Whom to ask about it.
    #[serde(default)]
    pub owner: String,
    /// When it runs; without a schedule it runs only when somebody asks for it.
    #[serde(default)]
    pub schedule: Option<ScheduleSpec>,
    /// For the first definition of a job: its occurrences since this instant count, although it was approved later.
    /// The catch-up rule says which of them run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub since: Option<Timestamp>,
    /// The IANA zone in which the schedule's wall-clock times are meant.
    #[serde(default = "utc")]
    pub zone: String,
    /// What happens to a fixed time that the clock skips or shows twice.
    #[serde(default)]
    pub dst: DstPolicy,
    /// On which days, by calendars.
    #[serde(default, skip_serializing_if = "CalendarRule::is_empty")]
    pub calendar: CalendarRule,
    /// The times of day within which it may start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// How late an occurrence may be decided before the catch-up rule applies, and how late it may
    /// start before it counts as late.
    #[serde(default = "one_minute")]
    pub late_after: HumanDuration,
    /// What happens to occurrences whose time passed while nobody could start them.
    #[serde(default)]
    pub catch_up: CatchUp,
    /// What happens, when a pause ends, to the occurrences that were skipped for it.
    #[serde(default = "nothing", skip_serializing_if = "is_nothing")]
    pub after_pause: CatchUp,
    /// What happens when an earlier run has not ended.
    #[serde(default)]
    pub overlap: Overlap,
    /// The flow it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow: Option<String>,
    /// Other jobs' runs that must have ended before it may start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<After>,
    /// When a run that has not started, because it waits for others, files or a person, is skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_by: Option<By>,
    /// Who must say go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm: Option<Confirm>,
    /// Files that must be there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Need>,
    /// What it holds of named locks while it runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locks: Vec<Claim>,
    /// The pool of hosts that may run it.
    #[serde(default = "default_pool")]
    pub pool: String,
    /// The one host that may run it.
    #[serde(default)]
    pub host: Option<String>,
    /// Labels a host must have.
    #[serde(default, skip_serializing_if = "Selector::is_empty")]
    pub select: Selector,
    /// On how many of them.
    #[serde(default, skip_serializing_if = "Hosts::is_one")]
    pub hosts: Hosts,
    /// Which of several is preferred.
    #[serde(default, skip_serializing_if = "Prefer::is_any")]
    pub prefer: Prefer,
    /// The account it runs as; without one, the account the host's executor runs as.
    #[serde(default)]
    pub run_as: Option<String>,
    /// Values that may differ from run to run.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, Parameter>,
    /// Environment variables that hold secrets, and where each secret is: `file:`, `env:`, `credential:` or `exec:`.
    /// Where the command writes one of at least four bytes, `***` is kept; in another encoding it is not recognised.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, String>,
    /// What is run, by a job of kind `command`.
    #[serde(default, skip_serializing_if = "Command::is_empty")]
    pub command: Command,
    /// What a job of kind `backup` saves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<BackupWork>,
    /// What a job of kind `backup-copy` copies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_copy: Option<CopyWork>,
    /// What a job of kind `backup-check` reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_check: Option<CheckWork>,
    /// Whose snapshots a job of kind `retention` forgets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<RetentionWork>,
    /// What a job of kind `prune` prunes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prune: Option<PruneWork>,
    /// What a job of kind `restore` brings back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore: Option<RestoreWork>,
    /// What a job of kind `restore-test` tries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore_test: Option<RestoreTestWork>,
    /// What a job of kind `print` prints, and to whom it sends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub print: Option<PrintWork>,
    /// Files that the command leaves and that are kept with its run, by name: a job of kind `print` can take them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub artefacts: BTreeMap<String, String>,
    /// How long an attempt may take.
    #[serde(default)]
    pub timeout: Option<HumanDuration>,
    /// How an attempt is stopped.
    #[serde(default)]
    pub stop: Stop,
    /// When it is tried again.
    #[serde(default)]
    pub retry: Retry,
    /// What an exit code means.
    #[serde(default)]
    pub exit_codes: ExitCodes,
    /// How much output is kept.
    #[serde(default)]
    pub output: OutputRule,
    /// How much of its host it may use.
    #[serde(default, skip_serializing_if = "Limits::is_empty")]
    pub limits: Limits,
    /// Whether it may be started again although nobody knows how an earlier attempt ended.
    #[serde(default)]
    pub restartable: bool,
    /// When it counts as late, or as taking too long or too short.
    #[serde(default, skip_serializing_if = "Sla::is_empty")]
    pub sla: Sla,
    /// Its host may run it by itself while the centre is away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autonomy: Option<Autonomy>,
    /// How bad it is when a run does not end as it should, and who is told.
    #[serde(default, skip_serializing_if = "OnFailure::is_empty")]
    pub on_failure: OnFailure,
}

/// Leave to run a job while the centre is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Autonomy {
    /// How far ahead of the clock the host may decide by itself.
    pub lease: HumanDuration,
}

fn nothing() -> CatchUp {
    CatchUp::None
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_nothing(rule: &CatchUp) -> bool {
    *rule == CatchUp::None
}

fn utc() -> String {
    "UTC".to_owned()
}

fn default_pool() -> String {
    "default".to_owned()
}

fn one_minute() -> HumanDuration {
    HumanDuration::from_secs(60)
}

/// One thing that is wrong with a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The field, as written in YAML.
    pub field: String,
    /// What is wrong and what is allowed.
    pub message: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// Most retries.
const RETRIES_MAX: usize = 20;
/// Most runs that may wait or be caught up.
const LIMIT_MAX: u32 = 1000;
/// Most conditions of a run: they stand in its events.
const CONDITIONS_MAX: usize = 64;
/// Most output that is kept, in bytes.
const OUTPUT_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Least memory an attempt may be limited to, in bytes: what a shell needs.
const MEMORY_BYTES_MIN: u64 = 4 * 1024 * 1024;
/// Memory of an engine that brings something back, in bytes, unless the job says otherwise: some three times what it was
/// seen to need.
pub const RESTORE_MEMORY_BYTES: u64 = 1024 * 1024 * 1024;
/// Memory of any other engine, in bytes, unless the job says otherwise: what it needs grows with the index of the
/// repository (260 MB for 20,000 files in 1 GB).
pub const BACKUP_MEMORY_BYTES: u64 = 2 * RESTORE_MEMORY_BYTES;
/// Memory of the process that looks at documents, in bytes, unless the job says otherwise: one of the largest size is in it
/// several times.
pub const PRINT_MEMORY_BYTES: u64 = RESTORE_MEMORY_BYTES;
/// Largest definition as canonical JSON: it must fit into an envelope with room to spare.
pub(crate) const DEFINITION_BYTES_MAX: usize = 12 * 1024;
/// Most files that are kept with a run: they stand in the event of its end.
const ARTEFACTS_MAX: usize = 10;
/// Signals a stop may begin with.
const SIGNALS: [&str; 6] = ["TERM", "INT", "QUIT", "HUP", "USR1", "USR2"];

impl JobDefinition {
    /// Everything that is wrong with it; empty when it can be proposed.
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Problems::default();
        self.check_names(&mut found);
        self.check_schedule(&mut found);
        self.check_days(&mut found);
        self.check_conditions(&mut found);
        self.check_place(&mut found);
        self.check_kind(&mut found);
        self.check_values(&mut found);
        self.check_limits(&mut found);
        self.check_autonomy(&mut found);
        found.0
    }

    /// Most memory of an attempt, in bytes: what the job says, or for an engine a limit of its own.
    pub fn memory_bytes(&self) -> Option<u64> {
        let of_kind = match self.kind {
            Kind::Command => None,
            Kind::Print => Some(PRINT_MEMORY_BYTES),
            Kind::Restore | Kind::RestoreTest => Some(RESTORE_MEMORY_BYTES),
            Kind::Backup | Kind::BackupCopy | Kind::BackupCheck | Kind::Retention | Kind::Prune => {
                Some(BACKUP_MEMORY_BYTES)
            }
        };
        self.limits.memory_bytes.or(of_kind)
    }

    fn check_names(&self, found: &mut Problems) {
        found.name("name", &self.name);
        found.name("pool", &self.pool);
        let optional = [("host", &self.host), ("flow", &self.flow)];
        for (field, name) in optional.into_iter().filter_map(|(f, n)| Some((f, n.as_ref()?))) {
            found.name(field, name);
        }
        if let Some(problem) = self.on_failure.problem() {
            found.add("on-failure", problem);
        }
        if self.description.len() > 1000 || self.owner.len() > 200 {
            found.add("description", "description has at most 1000 bytes, owner 200".to_owned());
        }
    }

    /// The calendars it names are looked at when they are known.
    fn check_schedule(&self, found: &mut Problems) {
        let Some(spec) = &self.schedule else { return };
        if let Err(error) = Schedule::parse(spec, &self.zone, self.dst) {
            return found.add("schedule", error.to_string());
        }
        let moves = matches!(self.calendar.otherwise, Otherwise::Previous | Otherwise::Next);
        if matches!(spec, ScheduleSpec::Every(_)) && moves {
            found.add("calendar.otherwise", ScheduleError::MovesElapsed.to_string());
        }
    }

    fn check_days(&self, found: &mut Problems) {
        for message in self.calendar.all().flat_map(crate::calendar::Days::problems) {
            found.add("calendar", message);
        }
        if let Some(window) = &self.window
            && window.from == window.until
        {
            found.add("window", "it ends when it begins".to_owned());
        }
    }

    fn check_conditions(&self, found: &mut Problems) {
        for after in &self.after {
            found.name("after.job", &after.job);
            if after.job == self.name {
                found.add("after.job", "a job cannot wait for itself".to_owned());
            }
            if after.outcomes.is_empty() {
                found.add("after.outcomes", "name at least one".to_owned());
            }
        }
        for claim in &self.locks {
            found.name("locks.lock", &claim.lock);
            if matches!(claim.share, Share::Units(0)) {
                found.add("locks.units", "at least 1".to_owned());
            }
        }
        let mut locks: Vec<&str> = self.locks.iter().map(|claim| claim.lock.as_str()).collect();
        locks.sort_unstable();
        if locks.windows(2).any(|two| two.first() == two.last()) {
            found.add("locks", "a lock is named once".to_owned());
        }
        if self.after.len() + self.needs.len() + self.locks.len() > CONDITIONS_MAX {
            let text = format!("after, needs and locks name at most {CONDITIONS_MAX} together");
            found.add("after", text);
        }
        for need in &self.needs {
            if !need.file.starts_with('/') {
                found.add("needs.file", "it is an absolute path".to_owned());
            }
        }
    }

    fn check_place(&self, found: &mut Problems) {
        for (label, values) in &self.select {
            found.name("select", label);
            if values.0.is_empty() {
                found.add("select", format!("{label}: name at least one value"));
            }
        }
        if self.host.is_some() && (!self.select.is_empty() || !self.hosts.is_one()) {
            found.add("host", "a job for one host has neither `select` nor `hosts`".to_owned());
        }
        if !self.hosts.is_one() && !self.prefer.is_any() {
            found.add("prefer", "where all hosts run it, none is preferred".to_owned());
        }
    }

    /// Parameters, secrets, and the tokens in what the command is given.
    fn check_values(&self, found: &mut Problems) {
        for (name, parameter) in &self.parameters {
            let mut add = |message: String| found.add("parameters", format!("{name}: {message}"));
            if !is_parameter(name) {
                add("a parameter's name is a-z, 0-9 and '-', and no built-in one".to_owned());
            }
            if (parameter.of == super::parameters::ParameterType::Choice)
                == parameter.choices.is_empty()
            {
                add("a choice has `choices`, others have none".to_owned());
            }
            if parameter.default.is_none() && self.schedule.is_some() {
                add("a job with a schedule needs a default".to_owned());
            }
            let default = parameter.default.as_deref().unwrap_or_default();
            token_problems(default, &BTreeMap::new()).into_iter().for_each(&mut add);
            let plain = parameter.default.as_deref().filter(|text| !text.contains("{{"));
            if let Some(Err(message)) = plain.map(|text| parameter.check(text)) {
                add(message);
            }
            if parameter.env.as_deref().is_some_and(|name| !is_variable(name)) {
                add("env is not a variable's name".to_owned());
            }
        }
        for (name, reference) in &self.secrets {
            if !is_variable(name) {
                found.add("secrets", format!("{name:?} is not a variable's name"));
            }
            if let Err(message) = reference.parse::<SecretRef>() {
                found.add("secrets", format!("{name}: {message}"));
            }
        }
        for message in self.texts().flat_map(|text| token_problems(text, &self.parameters)) {
            found.add("command", message);
        }
    }

    /// The texts in which tokens are replaced.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        let command = &self.command;
        let argv = command.argv.iter().flatten().chain(command.env.values());
        let others = command.cwd.iter().chain(&command.stdin);
        let restore = self.restore.iter().flat_map(|w| [&w.snapshot, &w.path, &w.to]);
        let others = others.chain(restore).chain(self.artefacts.values());
        let others = others.chain(self.print.iter().flat_map(PrintWork::texts));
        argv.chain(others).chain(self.needs.iter().map(|need| &need.file)).map(String::as_str)
    }

    /// The same texts, to be replaced.
    pub(crate) fn texts_mut(&mut self) -> impl Iterator<Item = &mut String> {
        let command = &mut self.command;
        let argv = command.argv.iter_mut().flatten().chain(command.env.values_mut());
        let others = command.cwd.iter_mut().chain(&mut command.stdin);
        let restore = self.restore.iter_mut();
        let restore = restore.flat_map(|w| [&mut w.snapshot, &mut w.path, &mut w.to]);
        let others = others.chain(restore).chain(self.artefacts.values_mut());
        let others = others.chain(self.print.iter_mut().flat_map(PrintWork::texts_mut));
        argv.chain(others).chain(self.needs.iter_mut().map(|need| &mut need.file))
    }

    fn check_autonomy(&self, found: &mut Problems) {
        let Some(autonomy) = &self.autonomy else { return };
        let mut add = |message: &str| found.add("autonomy", message.to_owned());
        if autonomy.lease.millis() < 60_000 || autonomy.lease.millis() > 31 * 86_400_000 {
            add("a lease is 1m to 31d long");
        }
        if self.host.is_none() || self.schedule.is_none() {
            add("it needs a schedule, and a host that is named");
        }
        let simple = self.after.is_empty() && self.locks.is_empty() && self.confirm.is_none();
        let at_once = self.window.is_none() && self.latest_by.is_none() && self.needs.is_empty();
        if !simple || !at_once {
            add(
                "a job that waits for others, files, locks, a window or a person cannot run without the centre",
            );
        }
        if self.overlap != Overlap::Skip || !matches!(self.catch_up, CatchUp::None | CatchUp::Last)
        {
            add(
                "its host skips what overlaps and catches up the last at most: overlap is skip, catch-up none or last",
            );
        }
    }

    /// It has the section of its kind, and no other.
    fn check_kind(&self, found: &mut Problems) {
        let sections = self.sections();
        for kind in Kind::ALL.into_iter().filter(|kind| *kind != self.kind) {
            if sections.contains(&kind) {
                let text = format!("a job of kind {} has no such section", self.kind.word());
                found.add(kind.word(), text);
            }
        }
        if self.kind == Kind::Command {
            return self.check_command(found);
        }
        if !self.artefacts.is_empty() {
            found.add("artefacts", "a command leaves files to keep".to_owned());
        }
        if let (Kind::Print, Some(work)) = (self.kind, &self.print) {
            return self.check_print(work, found);
        }
        let Some(work) = self.work() else {
            let text = format!("a job of kind {} says here what it does", self.kind.word());
            return found.add(self.kind.word(), text);
        };
        for (field, message) in work.problems() {
            found.add(field, message);
        }
        for (field, name) in work.names() {
            found.name(field, name);
        }
        if matches!(self.kind, Kind::Retention | Kind::Prune) && !self.hosts.is_one() {
            found.add("hosts", "one host is enough for that".to_owned());
        }
        if self.autonomy.is_some() {
            let text = "a backup asks the centre which snapshots there are: it cannot run without";
            found.add("autonomy", text.to_owned());
        }
    }

    fn check_print(&self, work: &PrintWork, found: &mut Problems) {
        for (field, message) in work.problems() {
            found.add(&field, message);
        }
        if !self.hosts.is_one() {
            found.add("hosts", "one host prints".to_owned());
        }
        if self.autonomy.is_some() {
            let text = "what is printed is agreed with the centre first: it cannot run without";
            found.add("autonomy", text.to_owned());
        }
        if self.restartable {
            let text = "nobody prints again what may have been printed: a person looks";
            found.add("restartable", text.to_owned());
        }
    }

    /// The sections it has.
    fn sections(&self) -> Vec<Kind> {
        let all = [
            (Kind::Command, !self.command.is_empty()),
            (Kind::Backup, self.backup.is_some()),
            (Kind::BackupCopy, self.backup_copy.is_some()),
            (Kind::BackupCheck, self.backup_check.is_some()),
            (Kind::Retention, self.retention.is_some()),
            (Kind::Prune, self.prune.is_some()),
            (Kind::Restore, self.restore.is_some()),
            (Kind::RestoreTest, self.restore_test.is_some()),
            (Kind::Print, self.print.is_some()),
        ];
        all.into_iter().filter(|(_, has)| *has).map(|(kind, _)| kind).collect()
    }

    /// What it does with backups, where that is what it does.
    pub fn work(&self) -> Option<Work<'_>> {
        match self.kind {
            Kind::Command | Kind::Print => None,
            Kind::Backup => self.backup.as_ref().map(Work::Backup),
            Kind::BackupCopy => self.backup_copy.as_ref().map(Work::Copy),
            Kind::BackupCheck => self.backup_check.as_ref().map(Work::Check),
            Kind::Retention => self.retention.as_ref().map(Work::Retention),
            Kind::Prune => self.prune.as_ref().map(Work::Prune),
            Kind::Restore => self.restore.as_ref().map(Work::Restore),
            Kind::RestoreTest => self.restore_test.as_ref().map(Work::RestoreTest),
        }
    }

    /// What its runs hold while they run: the locks it names, and the leases its work needs.
    pub fn claims(&self) -> Vec<Claim> {
        let leases = self.work().map(|work| work.leases()).unwrap_or_default();
        self.locks.iter().cloned().chain(leases).collect()
    }

    fn check_command(&self, found: &mut Problems) {
        let command = &self.command;
        match (&command.argv, &command.script) {
            (Some(argv), None) if argv.first().is_none_or(String::is_empty) => {
                found.add("command.argv", "the first entry names the program".to_owned());
            }
            (None, Some(script)) if script.trim().is_empty() => {
                found.add("command.script", "the script is empty".to_owned());
            }
            (Some(_), None) | (None, Some(_)) => {}
            (None, None) => found.add("command", "give either argv or script".to_owned()),
            (Some(_), Some(_)) => found.add("command", "give argv or script, not both".to_owned()),
        }
        for (name, path) in &self.artefacts {
            found.name("artefacts", name);
            if !path.starts_with('/') {
                found.add("artefacts", format!("{name}: it is an absolute path"));
            }
        }
        if self.artefacts.len() > ARTEFACTS_MAX {
            found.add("artefacts", format!("at most {ARTEFACTS_MAX}"));
        }
        if command.interpreter.is_empty() {
            found.add("command.interpreter", "it names at least a program".to_owned());
        }
        if command.cwd.as_ref().is_some_and(|cwd| !cwd.starts_with('/')) {
            found.add("command.cwd", "it is an absolute path".to_owned());
        }
        for name in command.env.keys().filter(|name| !is_variable(name)) {
            found.add("command.env", format!("{name:?} is not a variable's name"));
        }
        let texts = command.argv.iter().flatten().chain(command.env.values());
        if texts.chain(&command.script).any(|text| text.contains('\0')) {
            found.add("command", "no text of it may contain a NUL byte".to_owned());
        }
    }

    fn check_limits(&self, found: &mut Problems) {
        if !SIGNALS.contains(&self.stop.signal.as_str()) {
            found.add("stop.signal", format!("one of {}", SIGNALS.join(", ")));
        }
        if self.timeout.is_some_and(|t| t.millis() < 100) {
            found.add("timeout", "at least 100ms".to_owned());
        }
        if self.retry.delays.len() > RETRIES_MAX {
            found.add("retry.delays", format!("at most {RETRIES_MAX}"));
        }
        if self.retry.on.contains(&RetryOn::Lost) && !self.restartable {
            let text = "`lost` needs `restartable: true`: nobody knows whether the work was done";
            found.add("retry.on", text.to_owned());
        }
        for (field, rule) in [("catch-up", self.catch_up), ("after-pause", self.after_pause)] {
            if let CatchUp::All { limit } = rule
                && !(1..=LIMIT_MAX).contains(&limit)
            {
                found.add(&format!("{field}.all.limit"), format!("1 to {LIMIT_MAX}"));
            }
        }
        if let Overlap::QueueAll { limit } = self.overlap
            && !(1..=LIMIT_MAX).contains(&limit)
        {
            found.add("overlap.queue-all.limit", format!("1 to {LIMIT_MAX}"));
        }
        if self.retry.jitter_percent > 100 {
            found.add("retry.jitter-percent", "0 to 100".to_owned());
        }
        if self.limits.memory_bytes.is_some_and(|bytes| bytes < MEMORY_BYTES_MIN) {
            found.add("limits.memory-bytes", format!("at least {MEMORY_BYTES_MIN}"));
        }
        if self.output.bytes_per_second.is_some_and(|rate| rate < 1_024) {
            found.add("output.bytes-per-second", "at least 1024".to_owned());
        }
        let bad = |text: &String| text.is_empty() || text.len() > 500;
        if self.output.texts().any(bad) || self.output.texts().count() > 20 {
            let text = "success-text and failure-text are 1 to 500 bytes each, at most 20 together";
            found.add("output", text.to_owned());
        }
        for message in self.output.texts().filter_map(|text| LineText::read(text).err()) {
            found.add("output", message);
        }
        if self.output.limit_bytes > OUTPUT_BYTES_MAX {
            found.add("output.limit-bytes", format!("at most {OUTPUT_BYTES_MAX}"));
        }
        let size = canonical(self).map_or(0, |bytes| bytes.len());
        if size > DEFINITION_BYTES_MAX {
            let text = format!(
                "the definition is {size} bytes as JSON, the limit is {DEFINITION_BYTES_MAX}: put a long script into a file on the host"
            );
            found.add("command", text);
        }
    }

    /// SHA-256 of the canonical JSON: what an approval names.
    ///
    /// # Errors
    /// The definition cannot be written as JSON.
    pub fn digest(&self) -> Result<Digest, serde_json::Error> {
        canonical(self).map(|bytes| Digest::of(&bytes))
    }

    /// The retry rule as a run carries it.
    pub fn retry_rule(&self) -> RetryRule {
        RetryRule {
            delays_ms: self.retry.delays.iter().map(|d| d.millis()).collect(),
            on: self.retry.on.clone(),
            jitter_percent: self.retry.jitter_percent,
            codes: self.exit_codes.retry.clone(),
            host: self.retry.host,
        }
    }

    /// How many runs may wait behind one that has not ended.
    pub fn queue_limit(&self) -> u32 {
        match self.overlap {
            Overlap::Skip => 0,
            Overlap::QueueOne | Overlap::CancelRunning => 1,
            Overlap::QueueAll { limit } => limit,
        }
    }
}

impl DefinitionRef {
    /// Names the definition `number` with this digest.
    pub fn new(number: u32, digest: Digest) -> Self {
        Self { number, digest }
    }
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0'])
}

#[derive(Default)]
struct Problems(Vec<Problem>);

impl Problems {
    fn name(&mut self, field: &str, name: &str) {
        if !is_name(name) {
            let rule = "is not a name (a-z, 0-9, '.', '_', '-'; at most 63)";
            self.add(field, format!("{name:?} {rule}"));
        }
    }

    fn add(&mut self, field: &str, message: String) {
        self.0.push(Problem { field: field.to_owned(), message });
    }
}
