//! What can be typed.

mod acts;
mod ahead;
mod archive;
mod backups;
mod changes;
mod evidence;
mod hosts;
mod incidents;
mod occurrences;
mod people;
mod prints;
mod records;
mod reports;
mod requests;
mod things;
mod zones;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use domain::time::HumanDuration;

pub(crate) use acts::{Act, Confirm, Delay, Rerun, Which};
pub(crate) use ahead::{Predict, Rehearse, Told, Why};
pub(crate) use archive::Archive;
pub(crate) use backups::{
    Backup, Browse, Certify, Diff, Eyes, Find, ForgetSnapshots, HoldSnapshot, Restore, Retention,
    SnapshotAct, Watch,
};
pub(crate) use changes::{Becomes, Change, Decide, Expedite, Note, OfThing, Review, Sign};
pub(crate) use evidence::{
    About, Became, Control, DisposeException, Evidence, ExportEvidence, Forward, PapersOf,
    ReviewControl, TestControls, VerifyEvidence,
};
pub(crate) use hosts::{ConfirmKey, Host, InviteHost, Key};
pub(crate) use incidents::{Incident, ListIncidents, OneIncident, ReportIncident, SayOfIncident};
pub(crate) use occurrences::{Occurrence, OccurrenceAct, OneOccurrence};
pub(crate) use people::{
    AddUser, CreateToken, EndSession, GrantUser, KeepFilter, LinkUser, ListTokens, NewPassword,
    ResetUser, ReviewAccess, RevokeToken, User, UserToken,
};
pub(crate) use prints::{
    ChangeDocument, Check, DocumentAct, DocumentsAct, Forms, ListDocuments, MoveDocument, Numbers,
    OneDocument, OneNumber, PositivePay, Print, Queues, ReadDocument, Reconcile, Register,
    ReleaseDocuments, ReprintDocument, ResolveDocument, RetryDelivery,
};
pub(crate) use records::{Disclose, HoldRecords, OfPayload, Records};
pub(crate) use reports::{Paper, Report, ReportOf};
pub(crate) use requests::{AskRequest, ListRequests, OneRequest, Request, SayOfRequest};
pub(crate) use things::{Calendar, CalendarAct, CalendarFormat, Flow, FlowShow, Forecast, Thing};
pub(crate) use zones::{Tzdb, TzdbCompare};

/// Runs the night. Proves it in the morning.
#[derive(Debug, Parser)]
#[command(
    name = "decklog",
    version,
    about,
    after_help = "Exit codes: 0 done; 1 not clean; 2 wrong call or configuration; 3 no such thing; 4 not allowed; 5 refused by a rule; 6 unreachable; 10 plan found changes."
)]
pub(crate) struct Cli {
    /// How results are printed. Results go to stdout, everything else to stderr.
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// A form of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// One JSON value.
    Json,
    /// One JSON object a line.
    Jsonl,
}

/// Where the log is looked at.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Place {
    /// Data directory of `decklog up`, whether it runs or not.
    #[arg(long, env = "DECKLOG_DATA", conflicts_with = "server")]
    pub(crate) data: Option<PathBuf>,
    /// Address of a console, such as http://127.0.0.1:7400.
    #[arg(long, env = "DECKLOG_SERVER")]
    pub(crate) server: Option<String>,
    /// File with the token for the console.
    #[arg(long, env = "DECKLOG_TOKEN_FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs everything in one process: no database, no message broker, nothing to install.
    Up(Up),
    /// Shows what applying job files would change, and the next occurrences.
    Plan(Plan),
    /// Proposes the definitions in job files, and makes them active where one person may do both.
    Apply(Apply),
    /// Jobs.
    #[command(subcommand)]
    Job(Job),
    /// Schedules.
    #[command(subcommand)]
    Schedule(Schedule),
    /// The time zone database.
    #[command(subcommand)]
    Tzdb(Tzdb),
    /// Flows: jobs that wait for each other.
    #[command(subcommand)]
    Flow(Flow),
    /// Times in which nothing starts.
    #[command(subcommand)]
    Blackout(Thing),
    /// Named locks: who holds them, who waits.
    #[command(subcommand)]
    Lock(Thing),
    /// Pools of hosts.
    #[command(subcommand)]
    Pool(Thing),
    /// What must be protected.
    #[command(subcommand)]
    Dataset(Thing),
    /// Where snapshots live, and who works on each.
    #[command(subcommand)]
    Repository(Thing),
    /// Backups: what is protected, by which snapshots, and what was proven.
    #[command(subcommand)]
    Backup(Backup),
    /// Where documents wait for a printer: definitions. See `print queues`.
    #[command(subcommand)]
    Queue(Thing),
    /// Numbered stock: definitions. See `print forms`.
    #[command(subcommand)]
    Form(Thing),
    /// Prints: documents, queues, numbered stock.
    #[command(subcommand)]
    Print(Print),
    /// Printed pages of our own, as PDF: the signed head of the day, the morning review.
    #[command(subcommand)]
    Report(Report),
    /// Hosts: which there are, and whether they take work.
    #[command(subcommand)]
    Host(Host),
    /// Legal holds; outputs and documents that are erased before their time, or shown as evidence.
    #[command(subcommand)]
    Records(Records),
    /// Segments of the log that are in files: how much there is, and whether each is as it was archived.
    #[command(subcommand)]
    Archive(Archive),
    /// Keys that wait to be let in, where a person confirms each.
    #[command(subcommand)]
    Key(Key),
    /// Accounts: who there is, what each may do, and by what they come in.
    #[command(subcommand)]
    User(User),
    /// Single occurrences, also ahead of their time.
    #[command(subcommand)]
    Occurrence(Occurrence),
    /// Asks for a run of a job, or of a whole flow, now.
    Run(Run),
    /// Lists runs, newest first.
    Runs(Runs),
    /// Shows one run: where it stands, why, its attempts and events.
    RunShow(RunShow),
    /// Says why a run, an occurrence or a job is as it is: waits, was skipped, is late, is not there.
    Why(Why),
    /// Shows the night as it would go: when each run starts and ends, what it waits for, what will be late.
    ///
    /// Played in virtual time by the scheduler's and the recorder's own rules: calendars, what waits for what, locks,
    /// limits of pools and slots of hosts, windows, blackouts, orders. A run takes as long as the median of its job's
    /// newest runs that did their work (marked ? where it has none), is taken to succeed, and finds its files.
    Rehearse(Rehearse),
    /// Says hours ahead which limits will be missed, and the chain of runs that makes it so.
    ///
    /// From what runs now, how long jobs usually take, and what waits for what: start-by, finish-by, latest-by and
    /// windows.
    Predict(Predict),
    /// Asks runs to stop, or not to start.
    Cancel(Act),
    /// Holds runs that have not started, until somebody releases them.
    Hold(Act),
    /// Lets held runs go on.
    Release(Act),
    /// Skips runs that have not started: they do not happen.
    Skip(Act),
    /// Says go, where a job asks somebody for it.
    Confirm(Confirm),
    /// Lets runs go on without what they wait for.
    Override(Act),
    /// Lets runs start later.
    Delay(Delay),
    /// Asks for runs that have ended once more, from their start.
    Rerun(Rerun),
    /// Says, with evidence, how a run ended whose outcome is unknown.
    Resolve(Resolve),
    /// Prints the output of a run.
    Logs(Logs),
    /// Prints events as they were signed.
    Events(Events),
    /// What happened last night.
    Night(Night),
    /// How the site itself stands: the log and its recorder, programs, who is called, rules; and what is not as it should be.
    ///
    /// Ends with 1 where something cannot wait.
    Site(Place),
    /// The morning review: what is open, what becomes of it, and the signature.
    #[command(subcommand)]
    Review(Review),
    /// Failures that somebody must deal with: which are open, who was told, and what was said.
    #[command(subcommand)]
    Incident(Incident),
    /// What auditors ask to be shown, what is answered, and whether that is enough.
    #[command(subcommand)]
    Request(Request),
    /// Call trees: who is told of incidents, and whom then. See `incident on-call`.
    #[command(subcommand)]
    CallTree(Thing),
    /// Measures: how soon, how often, how long, as was agreed with whoever audits; controls are tested by them.
    #[command(subcommand)]
    Measures(Thing),
    /// Changes of definitions: what waits, what it does, and what is said of it.
    #[command(subcommand)]
    Change(Change),
    /// What will run when, what will not and why, and how many in each hour; and the calendars of the site.
    Calendar(Calendar),
    /// Reads the whole log again and checks everything that can be checked without its owner's word.
    Verify(Verify),
    /// Says what weakens a log where it stands: guards of its database, keys that others can read, room on the disk.
    Doctor(Standing),
    /// Evidence for somebody who believes nobody here: the log as one file that verifies by itself.
    #[command(subcommand)]
    Evidence(Evidence),
    /// Forwards every event, and the newest signed head whenever there is another, to security monitoring (OCSF).
    Forward(Forward),
    /// Controls: rules that an auditor tests, computed over everything that happened.
    #[command(subcommand)]
    Control(Control),
    /// Other people's schedules.
    #[command(subcommand)]
    Import(Import),
    /// The jobs for other schedulers.
    #[command(subcommand)]
    Export(Export),
    /// Brings the schema of a database up to date.
    Migrate(Migrate),
    /// Lets a log go on under another name, after it was brought back from an older copy or when the key of its heads is lost.
    Continue(Continue),
    /// Measures this installation's speed beside the limits of the machine.
    Bench(Bench),
    /// The configuration of the roles.
    #[command(subcommand)]
    Config(Config),
    /// Prints the JSON Schema of documents of one kind.
    Schema {
        /// job, flow, calendar, blackout, lock, pool, call-tree, measures and the like.
        #[arg(default_value = "job")]
        kind: String,
    },
    /// Prints the OpenAPI document of the console.
    Openapi,
    /// Prints completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// The recorder: the only writer of the log.
    Audit(Role),
    /// Decides what must run.
    Scheduler(Role),
    /// The API for people and scripts.
    Console(Role),
    /// Runs work on this host (the same as the program decklog-executor).
    Executor(Role),
    /// On somebody else's machine: remembers the heads of logs, and cosigns those that continue what it has seen.
    Witness(Witness),
}

#[derive(Debug, Args)]
pub(crate) struct Up {
    /// Data directory; made when it is not there.
    #[arg(long, env = "DECKLOG_DATA", default_value = "decklog-data")]
    pub(crate) data: PathBuf,
    /// Job files or directories to apply at the start.
    #[arg(long, num_args = 1.., value_name = "PATH")]
    pub(crate) with: Vec<PathBuf>,
    /// Address of the console. From elsewhere than this machine it is reached by TLS only.
    #[arg(long, default_value = "127.0.0.1:7400")]
    pub(crate) listen: SocketAddr,
    /// File with the certificate by which browsers know the console, in PEM.
    #[arg(long, requires = "tls_key", value_name = "FILE")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// File with its private key, in PEM.
    #[arg(long, requires = "tls_cert", value_name = "FILE")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Stops by itself after this time; exits 0 only if nothing is open then.
    #[arg(long = "for", value_name = "DURATION")]
    pub(crate) run_for: Option<HumanDuration>,
    /// How many attempts may run at once.
    #[arg(long, default_value_t = 16)]
    pub(crate) slots: u32,
    /// The host's own file of what may run as whom; without one everything may run, as this user.
    #[arg(long)]
    pub(crate) allow: Option<PathBuf>,
    /// Whether one person may approve what they proposed themselves. It is an event, and stays so; a new log lets them.
    #[arg(long, value_name = "BOOL")]
    pub(crate) self_approval: Option<bool>,
    /// File that says how documents are sent by mail: what [executor.mail] is for an executor.
    #[arg(long)]
    pub(crate) mail: Option<PathBuf>,
    /// How long what runs write is kept (30 days when absent), unless a legal hold keeps it for longer.
    #[arg(long, value_name = "DURATION")]
    pub(crate) keep_output: Option<HumanDuration>,
    /// Directory with this host's lists of addresses.
    #[arg(long)]
    pub(crate) lists: Option<PathBuf>,
    /// File that says how people are told of incidents: what [scheduler.notify] is for a scheduler.
    #[arg(long)]
    pub(crate) notify: Option<PathBuf>,
    /// File that says by which directory people come in: what [console.oidc] is for a console.
    #[arg(long)]
    pub(crate) oidc: Option<PathBuf>,
    /// File of measures by which pages test controls, instead of those that the log has approved: what console.measures is.
    #[arg(long)]
    pub(crate) measures: Option<PathBuf>,
    /// File that names the witnesses who are shown each head of the log, with their addresses (C2SP tlog-policy).
    #[arg(long)]
    pub(crate) witnesses: Option<PathBuf>,
    /// Directory into which the log is written as files that anybody may serve (C2SP tlog-tiles).
    #[arg(long)]
    pub(crate) tiles: Option<PathBuf>,
    /// How old the newest event of a segment (16,384 events) is before it moves into a file of the directory `archive`, which is
    /// to be copied as the log is; when absent, the log stays in its database.
    #[arg(long, value_name = "DURATION")]
    pub(crate) archive_after: Option<HumanDuration>,
    /// Address of a time-stamping authority (RFC 3161 over HTTP) that is asked about a head of the log once a day.
    #[arg(long, value_name = "URL", requires = "tsa_roots")]
    pub(crate) tsa: Option<String>,
    /// File of the roots under which what it says is believed, as PEM.
    #[arg(long, value_name = "FILE", requires = "tsa")]
    pub(crate) tsa_roots: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// Job files or directories.
    #[arg(required = true)]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) place: Place,
    /// How many next occurrences to show of each job that changes.
    #[arg(short = 'n', long, default_value_t = 3)]
    pub(crate) occurrences: usize,
}

#[derive(Debug, Args)]
pub(crate) struct Apply {
    /// Job files or directories.
    #[arg(required = true)]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) place: Place,
    /// Why.
    #[arg(long, default_value = "applied from the command line")]
    pub(crate) reason: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Job {
    /// Lists jobs.
    List(Place),
    /// Shows one job.
    Show(Named),
    /// Skips its occurrences from now on, each with the reason.
    Pause(NamedAct),
    /// Ends a pause.
    Resume(NamedAct),
    /// Ends its schedule for good.
    Retire(NamedAct),
    /// Takes back from its host what that may decide by itself; for a host that will not come back. What it has started
    /// and nobody knows of stays unknown.
    Reclaim(NamedAct),
    /// Makes the proposed definition active.
    Approve(Named),
}

/// One job, host or other thing.
#[derive(Debug, Args)]
pub(crate) struct Named {
    /// Its name.
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// What is done with one of them.
#[derive(Debug, Args)]
pub(crate) struct NamedAct {
    /// Its name.
    pub(crate) name: String,
    /// Why.
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Schedule {
    /// The next occurrences of a job.
    Next(Next),
    /// The occurrences of an expression, a job or the jobs of a file, each with how its instant was found.
    Explain(Explain),
}

#[derive(Debug, Args)]
pub(crate) struct Next {
    /// The job.
    pub(crate) job: String,
    /// How many.
    #[arg(short, default_value_t = 10)]
    pub(crate) n: usize,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// A crontab expression such as '30 2 * * *', or with --quartz a Quartz one.
    #[arg(required_unless_present_any = ["job", "file"], conflicts_with_all = ["job", "file"])]
    pub(crate) expression: Option<String>,
    /// The active definition of this job, with its calendars, blackouts and what was said of single occurrences; with
    /// -f, this job of the files.
    #[arg(long)]
    pub(crate) job: Option<String>,
    /// The jobs of these files, as they would be when they are applied.
    #[arg(short, long, value_name = "PATH")]
    pub(crate) file: Vec<PathBuf>,
    /// The IANA zone of the expression.
    #[arg(long, default_value = "UTC")]
    pub(crate) zone: String,
    /// How many; with --to, at most.
    #[arg(short)]
    pub(crate) n: Option<usize>,
    /// From this instant on, inclusive; read in the schedule's zone when it has no offset. Now when absent.
    #[arg(long)]
    pub(crate) from: Option<String>,
    /// Until this instant, exclusive, or for this long (`7d`).
    #[arg(long)]
    pub(crate) to: Option<String>,
    /// The expression is of the Quartz dialect.
    #[arg(long)]
    pub(crate) quartz: bool,
    /// What happens to a fixed time of the expression in a gap: shift, end or skip.
    #[arg(long, default_value = "shift")]
    pub(crate) gap: String,
    /// What happens to a fixed time of the expression that occurs twice: first, second or both.
    #[arg(long, default_value = "first")]
    pub(crate) overlap_time: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The job.
    #[arg(required_unless_present = "flow", conflicts_with = "flow")]
    pub(crate) job: Option<String>,
    /// All jobs of this flow, each waiting for the others as the flow says.
    #[arg(long, conflicts_with = "follow")]
    pub(crate) flow: Option<String>,
    /// A value of a parameter; may be given several times.
    #[arg(long = "param", value_name = "NAME=VALUE")]
    pub(crate) param: Vec<String>,
    /// Why.
    #[arg(long)]
    pub(crate) reason: String,
    /// Waits for the end and prints the output; exits 1 if the run does not succeed.
    #[arg(long)]
    pub(crate) follow: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Runs {
    /// Of this job.
    #[arg(long)]
    pub(crate) job: Option<String>,
    /// In this state.
    #[arg(long)]
    pub(crate) state: Option<String>,
    /// That this pool may take, or took.
    #[arg(long)]
    pub(crate) pool: Option<String>,
    /// Since this instant, or for this long (`12h`).
    #[arg(long)]
    pub(crate) since: Option<String>,
    /// Most runs.
    #[arg(short = 'n', long, default_value_t = 50)]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct RunShow {
    /// The run, such as payroll@2026-11-20T02:30-05:00.
    pub(crate) run: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Resolve {
    /// The run.
    pub(crate) run: String,
    /// How it ended: succeeded or failed.
    #[arg(long = "as", value_parser = ["succeeded", "failed"])]
    pub(crate) outcome: String,
    /// What shows it.
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// The run.
    pub(crate) run: String,
    /// Goes on until the run ends.
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Of this attempt; the newest when absent.
    #[arg(long)]
    pub(crate) attempt: Option<u32>,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Events {
    /// Only of this stream, such as job/backup.
    #[arg(long)]
    pub(crate) stream: Option<String>,
    /// Only after this position.
    #[arg(long, default_value_t = 0)]
    pub(crate) after: u64,
    /// Most events; all when absent.
    #[arg(short = 'n', long)]
    pub(crate) limit: Option<u64>,
    /// Instead of events the proof that the one at this position is in the newest signed head, computed again and checked.
    #[arg(long, value_name = "POSITION", conflicts_with_all = ["stream", "after", "limit"])]
    pub(crate) proof: Option<u64>,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Night {
    /// Since this instant, or for this long (`12h`).
    #[arg(long, default_value = "24h")]
    pub(crate) since: String,
    /// Exits 1 when there is something to look at.
    #[arg(long)]
    pub(crate) check: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Witness {
    /// The name under which it cosigns: a host name and a path, such as witness.example/w1.
    #[arg(long)]
    pub(crate) name: String,
    /// The key of a log that it knows, as `decklog evidence policy` prints it. May be given again.
    #[arg(long = "log", required = true, value_name = "KEY")]
    pub(crate) logs: Vec<String>,
    /// Directory of its key and its memory. It is never brought back from an older copy.
    #[arg(long, default_value = "decklog-witness")]
    pub(crate) data: PathBuf,
    /// The address it listens on.
    #[arg(long, default_value = "127.0.0.1:7410")]
    pub(crate) listen: SocketAddr,
}

/// Where a log stands.
#[derive(Debug, Args)]
pub(crate) struct Standing {
    /// Data directory of `decklog up`, whether it runs or not.
    #[arg(long, env = "DECKLOG_DATA")]
    pub(crate) data: Option<PathBuf>,
    /// The database of a log: postgres://… or the path of a SQLite file.
    #[arg(long, conflicts_with = "data")]
    pub(crate) database: Option<String>,
    /// Directory of its archived segments; beside the file, where it is SQLite's.
    #[arg(long, env = "DECKLOG_ARCHIVE", value_name = "DIR")]
    pub(crate) archive: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    pub(crate) place: Place,
    /// The database of a log: postgres://… or the path of a SQLite file.
    #[arg(long, conflicts_with_all = ["data", "server"])]
    pub(crate) database: Option<String>,
    /// Directory of its archived segments; beside the file, where it is SQLite's.
    #[arg(long, env = "DECKLOG_ARCHIVE", value_name = "DIR")]
    pub(crate) archive: Option<PathBuf>,
    /// A signed head that somebody kept, such as the text of the code on a printed one: the log must still hold, unchanged,
    /// all that it stands for. May be given again.
    #[arg(long = "head", value_name = "FILE")]
    pub(crate) heads: Vec<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Import {
    /// Reads crontabs.
    Crontab(Crontab),
    /// Reads systemd timers with the services they start.
    Systemd(Taken),
    /// Reads Rundeck job definitions, in YAML or XML.
    Rundeck(Taken),
    /// Reads Quartz jobs: jobs.xml, or lines of the form `NAME = EXPRESSION [zone=ZONE] : COMMAND`.
    Quartz(Quartz),
    /// Reads AutoSys JIL.
    Jil(Taken),
    /// Reads Control-M folders, as it exports them in XML.
    Controlm(Taken),
    /// Makes a calendar of the days an iCalendar file covers.
    Ics(Ics),
}

/// What to read, and where what becomes of it goes.
#[derive(Debug, Args)]
pub(crate) struct Taken {
    /// Files or directories; - for standard input.
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Directory for the files of definitions, one each; made when it is not there.
    #[arg(long)]
    pub(crate) out: Option<PathBuf>,
    /// The zone of times that name none; this machine's when absent.
    #[arg(long)]
    pub(crate) zone: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Crontab {
    #[command(flatten)]
    pub(crate) taken: Taken,
    /// The files have a user column, as /etc/crontab has. Known by itself for files below /etc.
    #[arg(long, conflicts_with = "user")]
    pub(crate) system: bool,
    /// The files have no user column.
    #[arg(long)]
    pub(crate) user: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Quartz {
    #[command(flatten)]
    pub(crate) taken: Taken,
    /// What to run for a job of jobs.xml, such as 'reports.daily=/usr/bin/report --daily'; a shell reads it.
    #[arg(long = "command", value_name = "GROUP.NAME=COMMAND")]
    pub(crate) commands: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Ics {
    /// The file; - for standard input.
    pub(crate) file: PathBuf,
    /// The calendar's name.
    #[arg(long)]
    pub(crate) name: String,
    /// The first year; this one when absent.
    #[arg(long)]
    pub(crate) from: Option<i16>,
    /// The last year; the fourth after the first when absent.
    #[arg(long)]
    pub(crate) to: Option<i16>,
    /// Directory for the files of definitions, one each; made when it is not there.
    #[arg(long)]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Export {
    /// Prints the active jobs as crontab lines, and says of each what a crontab cannot say.
    Crontab(ExportCrontab),
}

#[derive(Debug, Args)]
pub(crate) struct ExportCrontab {
    /// Only this job; may be given several times.
    #[arg(long = "job", value_name = "JOB")]
    pub(crate) jobs: Vec<String>,
    /// Writes the account before the command, as /etc/crontab has it.
    #[arg(long)]
    pub(crate) user_column: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Migrate {
    /// The database: postgres://… or the path of a SQLite file.
    #[arg(long, env = "DECKLOG__AUDIT__DATABASE")]
    pub(crate) database: String,
    /// Directory of its archived segments; beside the file, where it is SQLite's.
    #[arg(long, env = "DECKLOG__AUDIT__ARCHIVE", value_name = "DIR")]
    pub(crate) archive: Option<PathBuf>,
    /// Also computes the read model again from the events.
    #[arg(long)]
    pub(crate) rebuild: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Continue {
    /// The log's name from now on, which no head was ever signed under: a host name and a path, such as
    /// `example.com/decklog/prod-2`.
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) name: String,
    /// Why.
    #[arg(long)]
    pub(crate) reason: String,
    /// It was brought back from an older copy, also where nothing here shows that: what was to happen until now may have happened.
    #[arg(long)]
    pub(crate) restored: bool,
    /// Data directory of `decklog up`, which must not run.
    #[arg(long, env = "DECKLOG_DATA", conflicts_with = "config")]
    pub(crate) data: Option<PathBuf>,
    /// The configuration of a recorder; no recorder of the log may run.
    #[arg(long)]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// What to measure; all when absent.
    #[arg(value_enum)]
    pub(crate) what: Vec<Measure>,
    /// Also on this Postgres database, which must be empty; it is migrated.
    #[arg(long)]
    pub(crate) database: Option<String>,
    /// Directory for the data; a temporary one when absent.
    #[arg(long)]
    pub(crate) dir: Option<PathBuf>,
    /// Smaller numbers, for a quick look.
    #[arg(long)]
    pub(crate) quick: bool,
    #[command(flatten)]
    pub(crate) site: SiteBench,
    #[command(flatten)]
    pub(crate) backup: BackupBench,
}

/// Of the measures `seed` and `pages`.
#[derive(Debug, Args)]
pub(crate) struct SiteBench {
    /// Jobs of the site; 10000 when absent.
    #[arg(long)]
    pub(crate) jobs: Option<usize>,
    /// Runs of these jobs, spread over the days before now; 100000 when absent.
    #[arg(long)]
    pub(crate) runs: Option<usize>,
    /// Events of these runs, three to six of each; 500000 when absent.
    #[arg(long)]
    pub(crate) events: Option<usize>,
}

/// Of the measure `backup`.
#[derive(Debug, Args)]
pub(crate) struct BackupBench {
    /// Files of the tree that is backed up.
    #[arg(long)]
    pub(crate) files: Option<u64>,
    /// MiB of the tree that is backed up; ten times as much room is needed.
    #[arg(long)]
    pub(crate) mebibytes: Option<u64>,
    /// Percent of the files that change before an incremental backup.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=100))]
    pub(crate) changed: u64,
    /// How often everything is done; the best counts.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) rounds: u32,
    /// A restic to compare with; the one in `PATH` when absent. May be given several times.
    #[arg(long)]
    pub(crate) restic: Vec<PathBuf>,
    /// The borg to compare with; the one in `PATH` when absent.
    #[arg(long)]
    pub(crate) borg: Option<PathBuf>,
}

/// Something to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Measure {
    /// Events a second into the log.
    Append,
    /// Runs a second, each a process.
    Runs,
    /// From due to started, with many schedules.
    Lateness,
    /// Processor and memory of many schedules at rest.
    Idle,
    /// Everything in 400 days of many jobs with calendars; and a plan of one changed line.
    Plan,
    /// Makes the data directory `site` in --dir: jobs, and runs that nobody has run.
    Seed,
    /// How long the console takes for each of its pages, on the site in --dir, which is made when it is not there.
    Pages,
    /// Backups and restores of one tree, beside restic and borg.
    Backup,
    /// Evidence of the site in --dir: written, verified, its controls and its proofs, beside hashes and signatures alone.
    Evidence,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Says everything that is wrong with a configuration.
    Check(ConfigFile),
    /// Prints the configuration as it is understood.
    Show(ConfigShow),
}

#[derive(Debug, Args)]
pub(crate) struct ConfigFile {
    /// The file.
    #[arg(long, env = "DECKLOG_CONFIG", default_value = "/etc/decklog/decklog.toml")]
    pub(crate) config: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigShow {
    #[command(flatten)]
    pub(crate) file: ConfigFile,
    /// Says of each value where it comes from.
    #[arg(long)]
    pub(crate) origin: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Role {
    #[command(flatten)]
    pub(crate) file: ConfigFile,
    /// One value of the configuration, such as --set nats.url=nats://127.0.0.1:4222; wins over file and
    /// environment.
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    pub(crate) set: Vec<String>,
}
