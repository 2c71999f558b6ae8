//! An installation of many processes against Postgres and NATS, kept alive as systemd would keep it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use testkit::nats::Nats;
use testkit::postgres::Postgres;
use testkit::process::Daemon;
use testkit::wait;

use crate::evidence::{Marks, Tally, count};
use crate::programs::{READY, Said, decklog, executor, run, run_for};

/// From the last fault until nothing is open: offers are made again after up to half a minute, a lease
/// lasts half a minute; and the machine has other sites to run.
const SETTLED: Duration = Duration::from_secs(300);
/// How long a verification of the whole log may take.
const VERIFIED: Duration = Duration::from_secs(120);
const DATABASE: &str = "decklog";
const READY_LINE: &str = "\"message\":\"ready\"";
const JOBS: [&str; 4] = ["mark-often", "mark-long", "mark-twice", "mark-alone"];

/// A role with its arguments, and its process.
struct Program {
    arguments: Vec<String>,
    daemon: Daemon,
    /// It is not to be there.
    away: bool,
    /// How often it ended by itself and was started again.
    restarts: u32,
}

/// The installation.
pub(crate) struct Site {
    dir: TempDir,
    pub(crate) postgres: Postgres,
    pub(crate) nats: Nats,
    programs: BTreeMap<&'static str, Program>,
    server: String,
    marks: Marks,
}

pub(crate) const RECORDERS: [&str; 2] = ["recorder-one", "recorder-two"];
pub(crate) const SCHEDULERS: [&str; 2] = ["scheduler-one", "scheduler-two"];
/// The console of a site.
pub(crate) const CONSOLE: &str = "console";
const CENTRE: [&str; 5] = [RECORDERS[0], RECORDERS[1], SCHEDULERS[0], SCHEDULERS[1], CONSOLE];
pub(crate) const EXECUTORS: [&str; 3] = ["host-one", "host-two", "host-three"];

/// Most roles run in `decklog`; the first host runs the agent made for hosts.
fn program(name: &str, arguments: &[String]) -> std::process::Command {
    match arguments.split_first() {
        Some((_, own)) if name == EXECUTORS[0] => executor(own),
        Some(_) | None => decklog(arguments),
    }
}

impl Site {
    /// Two recorders, two schedulers, three executors (one of them the host agent), one console, and jobs
    /// at work.
    pub(crate) fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let postgres = Postgres::start().unwrap();
        postgres.create_database(DATABASE).unwrap();
        let nats = Nats::start(true).unwrap();
        run(decklog(["migrate", "--database"]).arg(postgres.url(DATABASE))).ended(0);
        let marks = Marks::new(dir.path());
        let (programs, server) = (BTreeMap::new(), String::new());
        let mut site = Self { dir, postgres, nats, programs, server, marks };
        site.start_roles();
        for jobs in [&site.marks.jobs, &site.marks.alone] {
            site.call(&["apply", jobs.to_str().unwrap()]).ended(0);
        }
        site.wait_for_successes(3);
        site
    }

    fn start_roles(&mut self) {
        let shared = self.dir.path().join("shared");
        std::fs::create_dir(&shared).unwrap();
        let shared = |name: &str| shared.join(name).display().to_string();
        // One after the other: the first one makes the log and the secrets they share.
        for name in RECORDERS {
            let own = [
                format!("audit.database={}", self.postgres.url(DATABASE)),
                format!("audit.head-key={}", shared("head.key")),
                format!("audit.join-secret={}", shared("join.secret")),
                "audit.head-every=2s".to_owned(),
            ];
            self.start_role(name, "audit", "name", &own);
        }
        for name in SCHEDULERS {
            let token = format!("scheduler.join-token-file={}", shared("join-scheduler.token"));
            self.start_role(name, "scheduler", "name", &[token]);
        }
        for name in EXECUTORS {
            let token = format!("executor.join-token-file={}", shared("join-executor.token"));
            let allow = "executor.allow-everything-as-me=true".to_owned();
            self.start_role(name, "executor", "host", &[token, allow]);
        }
        let own = [
            format!("console.join-token-file={}", shared("join-console.token")),
            "console.listen=127.0.0.1:0".to_owned(),
            "console.self-approval=true".to_owned(),
        ];
        self.start_role(CONSOLE, "console", "name", &own);
        self.find_console();
    }

    /// Starts the console again, with these settings instead of those that it had before beside the usual ones.
    pub(crate) fn restart_console(&mut self, own: &[&str]) {
        let mut program = self.programs.remove(CONSOLE).unwrap();
        program.daemon.term();
        program.daemon.wait_for_end(READY).unwrap();
        let mut settings = vec!["console.listen=127.0.0.1:0".to_owned()];
        settings.extend(own.iter().map(|&setting| setting.to_owned()));
        self.start_role(CONSOLE, "console", "name", &settings);
        self.find_console();
    }

    /// Where a role that is not kept alive begins: its settings, with the join token of its class.
    pub(crate) fn role(&self, name: &str, role: &str, key: &str) -> std::process::Command {
        let token = self.dir.path().join(format!("shared/join-{role}.token"));
        let settings = [
            format!("nats.url={}", self.nats.url()),
            format!("{role}.{key}={name}"),
            format!("{role}.data={}", self.dir.path().join(name).display()),
            format!("{role}.join-token-file={}", token.display()),
        ];
        let mut command = decklog([role]);
        for setting in settings {
            command.args(["--set", &setting]);
        }
        command
    }

    /// Where the console is, as it says itself.
    fn find_console(&mut self) {
        let output = self.programs.get(CONSOLE).unwrap().daemon.output();
        let said = output.lines().find_map(|line| {
            let line: Value = serde_json::from_str(line).ok()?;
            Some(format!("http://{}", line["address"].as_str()?))
        });
        self.server =
            said.unwrap_or_else(|| panic!("the console does not say where it is:\n{output}"));
    }

    /// Starts a role and waits until it is ready. `key` is what its section calls its name.
    fn start_role(&mut self, name: &'static str, role: &str, key: &str, own: &[String]) {
        let common = [
            format!("nats.url={}", self.nats.url()),
            format!("{role}.{key}={name}"),
            format!("{role}.data={}", self.dir.path().join(name).display()),
        ];
        let mut arguments = vec![role.to_owned()];
        for value in common.iter().chain(own) {
            arguments.extend(["--set".to_owned(), value.clone()]);
        }
        let mut daemon = Daemon::spawn(&mut program(name, &arguments)).unwrap();
        daemon.wait_for_line(READY_LINE, READY).unwrap();
        self.programs.insert(name, Program { arguments, daemon, away: false, restarts: 0 });
    }

    /// Kills a program and starts it again, as systemd would.
    pub(crate) fn kill9(&mut self, name: &str) {
        let program = self.programs.get_mut(name).unwrap();
        program.daemon.kill9().unwrap();
        program.daemon = Daemon::spawn(&mut self::program(name, &program.arguments)).unwrap();
    }

    /// Everything dies that is not on a host: recorders, schedulers, consoles, the database and the bus.
    pub(crate) fn lose_the_centre(&mut self) {
        for name in CENTRE {
            let program = self.programs.get_mut(name).unwrap();
            program.away = true;
            program.daemon.kill9().unwrap();
        }
        self.nats.kill().unwrap();
        self.postgres.kill().unwrap();
    }

    /// And is there again.
    pub(crate) fn regain_the_centre(&mut self) {
        self.postgres.start_again().unwrap();
        self.nats.start_again().unwrap();
        for name in CENTRE {
            let program = self.programs.get_mut(name).unwrap();
            program.away = false;
            program.daemon = Daemon::spawn(&mut self::program(name, &program.arguments)).unwrap();
        }
        self.programs.get_mut(CONSOLE).unwrap().daemon.wait_for_line(READY_LINE, READY).unwrap();
        self.find_console();
    }

    /// A program that is not kept alive any more.
    pub(crate) fn let_go(&mut self, name: &str) -> Daemon {
        self.programs.remove(name).unwrap().daemon
    }

    /// Programs die and stay away.
    pub(crate) fn lose(&mut self, names: &[&'static str]) {
        for name in names {
            let program = self.programs.get_mut(name).unwrap();
            program.away = true;
            program.daemon.kill9().unwrap();
        }
    }

    /// They are there again.
    pub(crate) fn regain(&mut self, names: &[&'static str]) {
        for name in names {
            let program = self.programs.get_mut(name).unwrap();
            program.away = false;
            program.daemon = Daemon::spawn(&mut self::program(name, &program.arguments)).unwrap();
        }
    }

    /// Where its console is, and the directory of that.
    pub(crate) fn console(&self) -> (&str, PathBuf) {
        (&self.server, self.dir.path().join(CONSOLE))
    }

    /// How many attempts of the job that host one may run by itself did their work.
    pub(crate) fn done_alone(&self) -> usize {
        self.marks.of("mark-alone")
    }

    /// Starts again what has ended by itself.
    fn tend(&mut self) {
        for (name, program) in &mut self.programs {
            if !program.away && !program.daemon.is_running() {
                program.restarts += 1;
                println!(
                    "{name} ended by itself and is started again:\n{}",
                    last_lines(&program.daemon)
                );
                program.daemon =
                    Daemon::spawn(&mut self::program(name, &program.arguments)).unwrap();
            }
        }
    }

    /// Lets this time pass; it is what makes the fault.
    pub(crate) fn let_pass(&mut self, time: Duration) {
        let until = Instant::now() + time;
        while Instant::now() < until {
            self.tend();
            std::thread::sleep(Duration::from_millis(100).min(until - Instant::now()));
        }
    }

    /// Runs a subcommand at its console.
    pub(crate) fn call(&self, arguments: &[&str]) -> Said {
        let token = self.dir.path().join("console/console.token");
        run(decklog(arguments).args(["--server", &self.server, "--token-file"]).arg(token))
    }

    fn ask(&self, statement: &str) -> Option<u64> {
        self.postgres.psql(DATABASE, statement).ok()?.parse().ok()
    }

    fn successes(&self) -> Option<u64> {
        self.ask("SELECT count(*) FROM event WHERE kind = 'run.succeeded' AND void IS NULL")
    }

    /// Waits until so many more runs have succeeded: the site works.
    #[track_caller]
    pub(crate) fn wait_for_successes(&mut self, more: u64) {
        let mut wanted = None;
        self.wait_for(&format!("{more} more runs to succeed"), |site| {
            let now = site.successes();
            wanted = wanted.or(now.map(|now| now + more));
            now.zip(wanted).is_some_and(|(now, wanted)| now >= wanted)
        });
    }

    /// Waits for a condition, and keeps the site alive meanwhile.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, what: &str, mut condition: impl FnMut(&Self) -> bool) {
        let waited = wait::until(what, SETTLED, || {
            self.tend();
            condition(self)
        });
        waited.unwrap();
    }

    /// Ends all schedules, waits until nothing is open, and counts.
    #[track_caller]
    pub(crate) fn settle_and_count(mut self) -> Tally {
        self.wait_for_successes(3);
        for job in JOBS {
            self.call(&["job", "retire", job, "--reason", "the faults are over"]).ended(0);
        }
        let open = "SELECT count(*) FROM state WHERE open = 1";
        self.wait_for("every run to end", |site| site.ask(open) == Some(0));
        let url = self.postgres.url(DATABASE);
        let mut verified = self.verify(&url);
        // What was due before the end of the schedules may be decided, and start, only now.
        self.wait_for("every occurrence to be decided and to end", |site| {
            verified = site.verify(&url);
            verified["occurrences_undecided"] == 0 && verified["runs_open"] == 0
        });
        println!("{verified}");
        assert_eq!(verified["findings"], serde_json::json!([]), "{verified:#}");
        assert_eq!(
            (&verified["runs_open"], &verified["runs_unknown"]),
            (&0.into(), &0.into()),
            "{verified:#}"
        );
        run_for(decklog(["verify", "--database"]).arg(&url), VERIFIED).ended(0);

        let events = self.call(&["events", "-o", "jsonl"]).ended(0).out;
        let tally = count(&events, &self.marks);
        assert_eq!(tally.unknown, Vec::<String>::new(), "lost");
        tally
    }

    fn verify(&self, url: &str) -> Value {
        run_for(decklog(["verify", "-o", "json", "--database"]).arg(url), VERIFIED).json()
    }

    fn outputs(&self) -> String {
        let each = self.programs.iter().map(|(name, program)| {
            format!(
                "== {name} (ended by itself {} times)\n{}",
                program.restarts,
                last_lines(&program.daemon)
            )
        });
        each.collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}\nwhat is left of it is in {}", self.outputs(), self.dir.path().display());
            self.dir.disable_cleanup(true);
        }
    }
}

fn last_lines(daemon: &Daemon) -> String {
    let output = daemon.output();
    let lines: Vec<&str> = output.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}
