//! A command on this host that tells somebody: by text message, by a siren, by whatever the site has.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use domain::event::Sent;
use domain::incident::message::Message;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::{SENDING, failed, unknown};

/// How often it is looked whether the command has ended.
const LOOK: Duration = Duration::from_millis(20);

/// Runs it: it has the text on standard input, and the subject in `DECKLOG_SUBJECT`.
pub(super) fn run(argv: &[String], message: &Message) -> Sent {
    let Some((program, arguments)) = argv.split_first() else {
        return failed("no program is named");
    };
    let spawned = Command::new(program)
        .args(arguments)
        .env("DECKLOG_SUBJECT", &message.subject)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => return failed(format!("{program} cannot be started: {error}")),
    };
    if let Some(mut stdin) = child.stdin.take() {
        let text = message.text.clone();
        // Apart, because who does not read it keeps the writer waiting. Who ends without it says what it thinks of that by
        // its exit code.
        std::thread::spawn(move || drop(stdin.write_all(text.as_bytes())));
    }
    match wait(&mut child) {
        Some(Ok(status)) if status.success() => Sent::Taken {},
        Some(Ok(status)) => failed(format!("{program}: {status}")),
        Some(Err(error)) => unknown(format!("{program}: {error}")),
        None => {
            unknown(format!("{program} took longer than {} s and was killed", SENDING.as_secs()))
        }
    }
}

/// Waits for its end; `None` where it was killed.
fn wait(child: &mut Child) -> Option<std::io::Result<ExitStatus>> {
    let until = Instant::now() + SENDING;
    while Instant::now() < until {
        match child.try_wait() {
            Ok(None) => std::thread::sleep(LOOK),
            Ok(Some(status)) => return Some(Ok(status)),
            Err(error) => return Some(Err(error)),
        }
    }
    if let Ok(group) = i32::try_from(child.id()) {
        // It may have ended by itself meanwhile.
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
    let _ = child.wait();
    None
}
