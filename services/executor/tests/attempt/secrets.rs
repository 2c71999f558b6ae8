//! Secrets: who gets one, and that nobody else sees it.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use executor::attempt::{AttemptDir, Cause, Outcome, Spec, State, SupervisorProgram, list};

use crate::world::{AGENT, World, alive, argv, ended, eventually, pid_in, sh, supervisor};

const SECRET: &str = "correct-horse-battery";

fn with_secret(mut spec: Spec, reference: &str) -> Spec {
    spec.secrets = BTreeMap::from([("PASSWORD".to_owned(), reference.to_owned())]);
    spec
}

/// A file of this content, as a reference.
fn file(world: &World, name: &str, content: impl AsRef<[u8]>) -> String {
    let path = world.note(name);
    std::fs::write(&path, content).unwrap();
    format!("file:{}", path.display())
}

/// An attempt whose secret is asked of a provider that is this script; its argument is `db`.
fn provided(world: &World, spec: Spec, script: &str) -> Spec {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let path = world.note(&format!("provider-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    let mut spec = with_secret(spec, "exec:vault db");
    let command = vec![path.display().to_string(), "-x".to_owned()];
    spec.providers = BTreeMap::from([("vault".to_owned(), command)]);
    spec
}

/// Nothing of the attempt on disk holds the secret, also not in the kept output.
#[track_caller]
fn assert_kept_from_disk(dir: &AttemptDir) {
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        assert!(!holds(&std::fs::read(&path).unwrap()), "{}", path.display());
    }
    assert!(!holds(&dir.output(0).unwrap()));
}

fn holds(bytes: &[u8]) -> bool {
    bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes())
}

fn proc(pid: i32, file: &str) -> Vec<u8> {
    std::fs::read(format!("/proc/{pid}/{file}")).unwrap()
}

#[test]
fn a_secret_is_in_the_commands_environment_and_nowhere_else() {
    let world = World::new();
    let (note, go) = (world.note("pid"), world.note("go"));
    // Whole, byte by byte, and in two halves with a pause in between.
    let text = format!(
        r#"echo "<$PASSWORD>"; echo $$ > {note}
        rest=$PASSWORD; while [ -n "$rest" ]; do next=${{rest#?}}; printf %s "${{rest%"$next"}}"; rest=$next; done
        echo; half=${{PASSWORD%horse*}}; printf %s "$half"
        while [ ! -e {go} ]; do sleep 0.01; done
        printf %s "${{PASSWORD#"$half"}}"; echo "|""#,
        note = note.display(),
        go = go.display()
    );
    let spec = with_secret(sh(&text), &file(&world, "secret", format!("{SECRET}\n")));
    let dir = world.start(&spec);
    let command = pid_in(&note);
    assert!(holds(&proc(command, "environ")), "the command has it");
    for pid in [command, supervisor(&dir)] {
        assert!(!holds(&proc(pid, "cmdline")));
    }
    assert!(!holds(&proc(supervisor(&dir), "environ")));
    eventually("the first two lines", || (dir.output(0).unwrap() == b"<***>\n***\n").then_some(()));
    assert_kept_from_disk(&dir);
    std::fs::write(&go, "").unwrap();
    let status = ended(&dir);
    let kept = dir.output(0).unwrap();
    assert_eq!(String::from_utf8(kept.clone()).unwrap(), "<***>\n***\n***|\n");
    // Not even how long it is.
    assert_eq!((status.output.bytes, status.output.truncated), (kept.len() as u64, false));
    assert_kept_from_disk(&dir);
}

#[test]
fn after_a_restart_nobody_needs_the_secret_to_read_what_happened() {
    let world = World::new();
    let reference = file(&world, "secret", SECRET);
    let (dir, status) = world.run(&with_secret(sh("echo $PASSWORD"), &reference));
    std::fs::remove_file(world.note("secret")).unwrap();
    let found = list(world.root.path()).unwrap().remove(0);
    assert_eq!(found.state().unwrap(), State::Ended(status));
    assert_eq!(found.spec().unwrap().secrets["PASSWORD"], reference);
    assert_eq!((&found, found.output(0).unwrap().as_slice()), (&dir, &b"***\n"[..]));
}

#[test]
fn a_secret_comes_from_where_its_reference_says() {
    let world = World::new();
    file(&world, "db", "from a credential\n");
    let credentials = world.note("db").parent().unwrap().to_owned();
    let variables = vec![
        ("APP_TOKEN".into(), "from the environment".into()),
        ("CREDENTIALS_DIRECTORY".into(), credentials.into_os_string()),
    ];
    let program = SupervisorProgram::knowing(AGENT.into(), variables);
    for (reference, value) in [
        (file(&world, "plain", "from a file"), "from a file"),
        (file(&world, "newlines", "two lines\n\n\n"), "two lines\n\n"),
        ("env:APP_TOKEN".to_owned(), "from the environment"),
        ("credential:db".to_owned(), "from a credential"),
    ] {
        // Reversed, because it would be masked otherwise.
        let spec = with_secret(sh("printf %s \"$PASSWORD\" | rev"), &reference);
        let dir = world.prepare(&spec);
        dir.start(&program).unwrap();
        assert_eq!(ended(&dir).outcome, Outcome::Exited { code: 0 });
        let reversed = String::from_utf8(dir.output(0).unwrap()).unwrap();
        let lines: Vec<String> = reversed.lines().map(|l| l.chars().rev().collect()).collect();
        let expected: Vec<&str> = value.lines().collect();
        assert_eq!(lines, expected, "{reference}");
    }
}

#[test]
fn a_command_does_not_see_what_its_supervisor_may_look_up() {
    let world = World::new();
    let variables = vec![("APP_TOKEN".into(), SECRET.into()), ("DECKLOG_RUN".into(), "x".into())];
    let program = SupervisorProgram::knowing(AGENT.into(), variables);
    let spec = with_secret(sh("env; [ -n \"$PASSWORD\" ]"), "env:APP_TOKEN");
    let dir = world.prepare(&spec);
    dir.start(&program).unwrap();
    assert_eq!(ended(&dir).outcome, Outcome::Exited { code: 0 });
    let output = String::from_utf8(dir.output(0).unwrap()).unwrap();
    assert!(output.contains("PASSWORD=***\n") && !output.contains("APP_TOKEN"), "{output}");
}

#[test]
fn a_provider_is_asked_with_the_argument_last_and_knows_for_whom() {
    let world = World::new();
    let script = "echo \"$1 $2 $DECKLOG_JOB $DECKLOG_RUN $DECKLOG_ATTEMPT $PATH\"";
    let spec = provided(&world, sh("echo \"$PASSWORD\" | tr a-z A-Z"), script);
    let (dir, _) = world.run(&spec);
    let output = String::from_utf8(dir.output(0).unwrap()).unwrap();
    let expected = format!("-x db test {} 1 /usr/local/sbin:", spec.run).to_uppercase();
    assert!(output.starts_with(&expected), "{output}");
}

#[test]
fn what_a_provider_leaves_running_is_ended_before_the_command_begins() {
    let world = World::new();
    let note = world.note("daemon");
    let script = format!(
        "setsid sh -c 'trap \"\" TERM HUP; echo $$ > {n}; exec sleep 1000' >/dev/null & \
         while [ ! -s {n} ]; do sleep 0.01; done; echo {SECRET}",
        n = note.display()
    );
    // Dead is dead, whether somebody has waited for it or not.
    let command = format!(
        "grep -qs '^State:.[^ZX]' /proc/$(cat {})/status && exit 7; exit 0",
        note.display()
    );
    let (dir, status) = world.run(&provided(&world, sh(&command), &script));
    assert_eq!(status.outcome, Outcome::Exited { code: 0 });
    assert!(status.killed.is_empty(), "{:?}", status.killed);
    assert!(!alive(pid_in(&note)));
    assert_kept_from_disk(&dir);
}

#[test]
fn what_cannot_be_had_is_named_and_nothing_of_it_is_shown() {
    let world = World::new();
    let note = world.note("ran");
    let command = || sh(&format!("touch {}", note.display()));
    let long = "x".repeat(64 * 1024 + 1);
    let zero = format!("{SECRET}\0");
    let pipe = world.note("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let with = |reference: &str| with_secret(command(), reference);
    let provided = |script: &str| provided(&world, command(), script);
    for (spec, why) in [
        (with("file:/no/such/file"), "cannot read /no/such/file: No such file"),
        (with("file:/etc"), "it is no regular file"),
        (with(&format!("file:{}", pipe.display())), "it is no regular file"),
        (with(&file(&world, "empty", "\n")), "it is empty"),
        (with(&file(&world, "long", &long)), "it has more than 65536 bytes"),
        (with(&file(&world, "zero", &zero)), "it contains a zero byte"),
        (with("env:NO_SUCH_VARIABLE"), "this service has no variable NO_SUCH_VARIABLE"),
        (with("credential:db"), "this service has no credentials"),
        (with("exec:vault db"), "there is no provider vault"),
        (with(SECRET), "this is not a reference to a secret"),
        (provided(&format!("echo {SECRET}; exit 3")), "provider vault ended with exit status: 3"),
        (provided(&format!("echo {SECRET}; exec cat /dev/zero")), "printed more than 65536 bytes"),
        (provided(":"), "it is empty"),
    ] {
        let (dir, status) = world.run(&spec);
        let Outcome::NotStarted { message } = status.outcome else { panic!("{why}: {status:?}") };
        assert!(message.starts_with("secret PASSWORD: ") && message.contains(why), "{message}");
        assert!(!message.contains(SECRET));
        assert!(!note.exists() && dir.output(0).unwrap().is_empty());
    }
}

#[test]
fn a_provider_that_takes_its_time_is_not_waited_for_when_the_attempt_is_cancelled() {
    let world = World::new();
    let note = world.note("asked");
    let script = format!("echo $$ > {}; exec sleep 1000", note.display());
    let dir = world.start(&provided(&world, argv(&["/bin/true"]), &script));
    let provider = pid_in(&note);
    dir.cancel("enough").unwrap();
    let status = ended(&dir);
    assert!(matches!(status.outcome, Outcome::NotStarted { .. }), "{status:?}");
    assert_eq!(status.cause, Cause::Cancelled { reason: "enough".into() });
    assert!(!alive(provider));
}

#[test]
fn as_another_user_too_a_secret_is_in_no_argument_and_read_by_the_executors_own() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: only root can become somebody else");
        return;
    }
    let world = World::new();
    let note = Path::new("/tmp").join(format!("decklog-secret-{}", std::process::id()));
    let reference = file(&world, "secret", SECRET);
    let path = world.note("secret");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let text = format!(
        "echo $$ > {n}; while [ -e {n} ]; do sleep 0.01; done; echo $PASSWORD; cat {} 2>/dev/null || exit 8",
        path.display(),
        n = note.display()
    );
    let mut spec = with_secret(sh(&text), &reference);
    spec.run_as = Some("nobody".into());
    let dir = world.start(&spec);
    let command = pid_in(&note);
    assert!(holds(&proc(command, "environ")) && !holds(&proc(command, "cmdline")));
    std::fs::remove_file(&note).unwrap();
    assert_eq!(ended(&dir).outcome, Outcome::Exited { code: 8 });
    assert_eq!(dir.output(0).unwrap(), b"***\n");
    assert_kept_from_disk(&dir);
}
