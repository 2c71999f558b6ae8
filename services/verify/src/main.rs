//! `decklog-verify`: says of evidence what it is worth. Offline: it opens the files that are named, and nothing else. What can be
//! typed stands in `call`.

mod call;

use std::fs::File;
use std::io::{self, BufReader, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use domain::canonical::Digest;
use evidence::parts::{Joined, in_order};
use evidence::{Head, Misbehaviour, Report, Roots, Trust, Verdict};
use jiff::Timestamp;
use tlog::Policy;

use call::{Bundle, Call, HELP};

/// The exit code of a call that is wrong, or of files that cannot be read: nothing was said of any evidence.
const WRONG_CALL: u8 = 3;

fn main() -> ExitCode {
    let done = match call::read(std::env::args_os()) {
        Ok(Call::Help) => say(HELP).map(|()| 0),
        Ok(Call::Version) => {
            say(&format!("decklog-verify {}\n", env!("CARGO_PKG_VERSION"))).map(|()| 0)
        }
        Ok(Call::Bundle(bundle)) => verify(&bundle),
        Ok(Call::Misbehaviour { file, policy }) => misbehaviour(&file, &policy),
        Err(error) => Err(format!("{error}\n\n{HELP}")),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("{}", error.trim_end());
            ExitCode::from(WRONG_CALL)
        }
    }
}

fn say(text: &str) -> Result<(), String> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.to_string()),
        Err(_) | Ok(()) => Ok(()),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("reading {}: {error}", path.display()))
}

fn policy(path: &Path) -> Result<Policy, String> {
    let bytes = read(path)?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{} is not UTF-8", path.display()))?;
    Policy::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
}

fn head(path: &Path) -> Result<Head, String> {
    Head::kept(&read(path)?).map_err(|error| format!("{}: {error}", path.display()))
}

/// The roots in all of the files that are named, if any are.
fn roots(files: &[PathBuf]) -> Result<Option<Roots>, String> {
    let one = |path: &PathBuf| {
        Roots::from_pem(&read(path)?).map_err(|error| format!("{}: {error}", path.display()))
    };
    let all = files.iter().map(one).collect::<Result<Vec<_>, _>>()?;
    Ok(all.into_iter().reduce(Roots::with))
}

fn trust(bundle: &Bundle) -> Result<Trust, String> {
    Ok(Trust {
        policy: bundle.policy.as_deref().map(policy).transpose()?,
        held: bundle.heads.iter().map(|path| head(path)).collect::<Result<_, _>>()?,
        as_of: bundle.as_of,
        tsa: roots(&bundle.tsa)?,
        now: Timestamp::now(),
    })
}

fn verify(bundle: &Bundle) -> Result<u8, String> {
    let trust = trust(bundle)?;
    let mut opened = opened(&bundle.files)?;
    let mut progress = Progress::new(opened.length());
    let input = BufReader::new(&mut opened);
    let report = evidence::verify(input, &trust, bundle.depth, &mut |at, events| {
        progress.at(at, events);
    });
    progress.clear();
    let report = report.map_err(|error| format!("reading the bundle: {error}"))?;
    if bundle.json {
        let json = serde_json::to_string_pretty(&report).map_err(|error| error.to_string())?;
        say(&format!("{json}\n"))?;
    } else {
        say(&report.to_string())?;
    }
    if report.verdict == Verdict::Tampered {
        tell_parts(&opened)?;
    }
    keep(bundle, &report)?;
    Ok(u8::try_from(report.verdict.code()).unwrap_or(1))
}

/// A bundle, or its parts, which are beside the first.
fn opened(named: &[PathBuf]) -> Result<Joined<File>, String> {
    let beside = |dir: &Path| {
        let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
        dir.read_dir().into_iter().flatten().flatten().map(|entry| entry.file_name()).collect()
    };
    let parts = in_order(named, beside).map_err(|error| error.to_string())?;
    Joined::open(parts, |path| File::open(path)).map_err(|error| error.to_string())
}

/// Parts of several exports that were mixed up look like one that was changed: which are whose, their hashes tell.
fn tell_parts(opened: &Joined<File>) -> Result<(), String> {
    for path in opened.parts() {
        let hash = File::open(path).and_then(Digest::of_all);
        let hash = hash.map_err(|error| format!("reading {}: {error}", path.display()))?;
        eprintln!("{}: SHA-256 {hash}; compare it with what the export has said", path.display());
    }
    Ok(())
}

/// Writes down what shows by itself that the log contradicts itself.
fn keep(bundle: &Bundle, report: &Report) -> Result<(), String> {
    if report.misbehaviour.is_empty() {
        return Ok(());
    }
    let dir = &bundle.misbehaviour;
    let failed = |error: io::Error| format!("writing into {}: {error}", dir.display());
    std::fs::create_dir_all(dir).map_err(failed)?;
    for (one, number) in report.misbehaviour.iter().zip(1..) {
        let path = dir.join(format!("misbehaviour-{number}.json"));
        let json = serde_json::to_string_pretty(one).map_err(|error| error.to_string())?;
        std::fs::write(&path, json + "\n").map_err(failed)?;
        eprintln!(
            "{} shows by itself that this log has signed what cannot be true together; whoever has the policy checks it with: decklog-verify misbehaviour {}",
            path.display(),
            path.display()
        );
    }
    Ok(())
}

fn misbehaviour(file: &Path, by: &Path) -> Result<u8, String> {
    let shown: Misbehaviour = serde_json::from_slice(&read(file)?)
        .map_err(|error| format!("{}: {error}", file.display()))?;
    let keys: Vec<_> = policy(by)?.logs().iter().map(|place| place.key.clone()).collect();
    match shown.check(&keys) {
        Ok(()) => {
            say(
                "SHOWN: a key that the policy names has signed two heads that cannot both be true\n",
            )?;
            Ok(u8::try_from(Verdict::Tampered.code()).unwrap_or(1))
        }
        Err(why) => {
            say(&format!("NOT SHOWN: {why}\n"))?;
            Ok(u8::try_from(Verdict::Inconclusive.code()).unwrap_or(2))
        }
    }
}

/// How far it is, in a line that is written over, on a terminal only.
struct Progress {
    bytes: u64,
    told: u64,
    shown: bool,
}

impl Progress {
    fn new(bytes: u64) -> Self {
        Self { bytes, told: 0, shown: io::stderr().is_terminal() }
    }

    fn at(&mut self, bytes: u64, events: u64) {
        let percent = bytes.saturating_mul(100).checked_div(self.bytes).unwrap_or(100);
        if self.shown && percent > self.told {
            self.told = percent;
            eprint!("\r{percent:3} %  {events} events");
        }
    }

    fn clear(&self) {
        if self.shown && self.told > 0 {
            eprint!("\r\x1b[K");
        }
    }
}
