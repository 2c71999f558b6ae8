//! How attempts end.

use executor::attempt::{AttemptError, Cause, Outcome, State, cgroup, prepare};

use crate::world::{LONG, World, alive, argv, ended, eventually, pid_in, sh, supervisor};

fn not_started(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::NotStarted { message } => message,
        other @ (Outcome::Exited { .. } | Outcome::Signaled { .. }) => panic!("{other:?}"),
    }
}

#[test]
fn the_exit_code_is_the_commands_own() {
    let world = World::new();
    for code in [0, 1, 3, 125, 255] {
        let (dir, status) = world.run(&sh(&format!("exit {code}")));
        assert_eq!(status.outcome, Outcome::Exited { code });
        assert_eq!(status.cause, Cause::Own);
        assert!(status.pid > 1 && status.ended >= status.started && status.killed.is_empty());
        assert!(status.usage.is_some());
        assert_eq!(dir.state().unwrap(), State::Ended(status));
    }
}

#[test]
fn the_signal_that_ended_a_command_is_named_real_time_ones_too() {
    let world = World::new();
    for signal in [9, 11, 15, 40] {
        let (_, status) = world.run(&sh(&format!("kill -{signal} $$")));
        assert_eq!((status.outcome, status.cause), (Outcome::Signaled { signal }, Cause::Own));
    }
}

#[test]
fn a_program_that_is_not_there_is_said_not_to_have_started_and_why() {
    let world = World::new();
    for (word, why) in [
        ("/no/such/program", "No such file or directory"),
        ("no-such-program", "not found in /usr/local/sbin"),
        ("/etc/passwd", "Permission denied"),
    ] {
        let (_, status) = world.run(&argv(&[word]));
        let message = not_started(&status.outcome);
        assert!(message.contains(word) && message.contains(why), "{message}");
        assert_eq!(status.pid, 0);
    }
}

#[test]
fn a_directory_that_is_not_there_is_named_and_not_the_program() {
    let world = World::new();
    let mut spec = argv(&["/bin/true"]);
    spec.cwd = Some("/no/such/directory".into());
    let (_, status) = world.run(&spec);
    let message = not_started(&status.outcome);
    assert!(message.contains("/no/such/directory") && !message.contains("true"), "{message}");
}

#[test]
fn a_bad_specification_is_refused_before_anything_is_written() {
    let world = World::new();
    let mut no_signal = argv(&["/bin/true"]);
    no_signal.stop.signal = "STOPIT".into();
    let mut no_variable = argv(&["/bin/true"]);
    no_variable.env.insert("A=B".into(), "c".into());
    for spec in [argv(&[]), argv(&[""]), argv(&["/bin/true", "a\0b"]), no_signal, no_variable] {
        let refused = prepare(world.root.path(), &spec).unwrap_err();
        assert!(matches!(refused, AttemptError::BadSpec { .. }), "{refused}");
    }
    assert_eq!(std::fs::read_dir(world.root.path()).unwrap().count(), 0);
}

#[test]
fn the_same_attempt_cannot_be_prepared_twice() {
    let world = World::new();
    let spec = argv(&["/bin/true"]);
    world.prepare(&spec);
    let again = prepare(world.root.path(), &spec).unwrap_err();
    assert!(matches!(again, AttemptError::AlreadyPrepared(_)), "{again}");
}

#[test]
fn a_command_that_heeds_its_signal_is_timed_out_without_being_killed() {
    let world = World::new();
    let mut spec = sh("trap 'exit 7' TERM; while :; do sleep 1000 & wait; done");
    spec.timeout_ms = Some(300);
    spec.stop.grace_ms = 30_000;
    let (_, status) = world.run(&spec);
    assert_eq!((status.outcome, status.cause), (Outcome::Exited { code: 7 }, Cause::Timeout));
    assert!(status.killed.is_empty(), "{:?}", status.killed);
    assert_eq!(status.ladder.len(), 1, "{:?}", status.ladder);
}

/// A grandchild in a session of its own that heeds no TERM, and a parent that does.
fn stubborn(world: &World, name: &str) -> (String, std::path::PathBuf) {
    let note = world.note(name);
    let text = format!(
        "setsid sh -c 'trap \"\" TERM; echo $$ > {}; while :; do sleep 1000; done' & wait",
        note.display()
    );
    (text, note)
}

#[test]
fn a_stubborn_grandchild_in_its_own_session_dies_on_timeout() {
    let world = World::new();
    let (text, note) = stubborn(&world, "stubborn");
    let mut spec = sh(&text);
    spec.timeout_ms = Some(500);
    let dir = world.start(&spec);
    let grandchild = pid_in(&note);
    let status = ended(&dir);
    assert_eq!((status.outcome, status.cause), (Outcome::Signaled { signal: 15 }, Cause::Timeout));
    assert!(!alive(grandchild));
    assert!(status.killed.iter().any(|k| k.pid == grandchild.cast_unsigned() && k.comm == "sh"));
    assert_eq!(status.ladder.len(), 2, "{:?}", status.ladder);
}

#[test]
fn in_a_cgroup_a_stubborn_grandchild_dies_too_and_the_group_is_gone() {
    let Some(parent) = cgroup::delegated() else {
        eprintln!("skipped: no cgroup v2 directory is writable here");
        return;
    };
    let world = World::new();
    let (text, note) = stubborn(&world, "grouped");
    let mut spec = sh(&text);
    spec.cgroup = Some(parent.clone());
    let dir = world.start(&spec);
    let grandchild = pid_in(&note);
    let group = parent.join(dir.path().file_name().unwrap());
    let members = std::fs::read_to_string(group.join("cgroup.procs")).unwrap();
    assert!(members.lines().any(|line| line == grandchild.to_string()), "{members}");
    dir.cancel("enough").unwrap();
    let status = ended(&dir);
    assert_eq!(status.cause, Cause::Cancelled { reason: "enough".into() });
    assert!(!alive(grandchild) && !group.exists());
}

#[test]
fn over_its_limit_of_memory_a_command_is_killed_and_that_is_said() {
    let Some(parent) = cgroup::delegated().filter(|parent| cgroup::bounds_memory(parent)) else {
        // The kernel has the memory controller in cgroup v1 here, or this process' own group holds processes, below
        // which none can be bounded. What is written and read there, a test in `cgroup.rs` tells.
        eprintln!("skipped: no cgroup v2 directory bounds memory here");
        return;
    };
    let world = World::new();
    // One line without an end, which it keeps whole.
    let mut spec = sh("tail /dev/zero & wait $!; exit 0");
    (spec.cgroup, spec.memory_bytes) = (Some(parent), Some(32 << 20));
    let (_, status) = world.run(&spec);
    assert_eq!((status.outcome, status.cause), (Outcome::Signaled { signal: 9 }, Cause::Memory));
    let mut spec = sh("exit 4");
    (spec.cgroup, spec.memory_bytes) = (cgroup::delegated(), Some(32 << 20));
    let (_, status) = world.run(&spec);
    assert_eq!((status.outcome, status.cause), (Outcome::Exited { code: 4 }, Cause::Own));
}

#[test]
fn where_memory_cannot_be_bounded_the_command_runs_and_that_is_noted() {
    let Some(parent) = cgroup::delegated().filter(|parent| !cgroup::bounds_memory(parent)) else {
        eprintln!("skipped: memory can be bounded here, or there are no groups at all");
        return;
    };
    let world = World::new();
    let mut spec = sh("exit 4");
    (spec.cgroup, spec.memory_bytes) = (Some(parent), Some(32 << 20));
    let (_, status) = world.run(&spec);
    assert_eq!((status.outcome, status.cause), (Outcome::Exited { code: 4 }, Cause::Own));
    let said = |step: &String| step.contains("no limit of memory");
    assert!(status.ladder.iter().any(said), "{:?}", status.ladder);
}

#[test]
fn a_cgroup_that_cannot_be_made_is_noted_and_the_command_runs() {
    let world = World::new();
    let mut spec = sh("exit 4");
    spec.cgroup = Some("/no/such/cgroup".into());
    let (_, status) = world.run(&spec);
    assert_eq!(status.outcome, Outcome::Exited { code: 4 });
    assert!(status.ladder.iter().any(|step| step.contains("no cgroup")), "{:?}", status.ladder);
}

#[test]
fn a_cancelled_command_ends_with_the_reason() {
    let world = World::new();
    let dir = world.start(&sh("exec sleep 1000"));
    supervisor(&dir);
    assert_eq!(dir.wait(std::time::Duration::from_millis(1)).unwrap(), None);
    dir.cancel("the operator said so").unwrap();
    dir.cancel("a later reason").unwrap();
    let status = ended(&dir);
    let reason = "the operator said so".into();
    assert_eq!(status.cause, Cause::Cancelled { reason });
}

#[test]
fn what_is_cancelled_before_its_start_never_runs() {
    let world = World::new();
    let note = world.note("ran");
    let dir = world.prepare(&sh(&format!("touch {}", note.display())));
    dir.cancel("too late for today").unwrap();
    dir.start(&world.program).unwrap();
    let status = ended(&dir);
    assert!(not_started(&status.outcome).contains("cancelled"));
    assert_eq!(status.cause, Cause::Cancelled { reason: "too late for today".into() });
    assert!(!note.exists());
}

#[test]
fn what_is_refused_never_runs_and_the_reason_is_said() {
    let world = World::new();
    let note = world.note("refused");
    let mut spec = sh(&format!("touch {}", note.display()));
    spec.refused = Some("this host does not allow it".into());
    let (_, status) = world.run(&spec);
    assert_eq!(not_started(&status.outcome), "this host does not allow it");
    assert!(!note.exists());
}

#[test]
fn a_late_nudge_does_not_stop_the_next_command_of_the_same_supervisor() {
    let world = World::new();
    let (first, _) = world.run(&sh(":"));
    let note = world.note("second");
    let second = world.start(&sh(&format!(
        "echo $$ > {n}; while [ -e {n} ]; do sleep 0.01; done; exit 5",
        n = note.display()
    )));
    pid_in(&note);
    let busy = supervisor(&second);
    // The first is over, and its supervisor is at work on the second.
    first.cancel("too late").unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(busy), nix::sys::signal::SIGTERM).unwrap();
    std::fs::remove_file(&note).unwrap();
    assert_eq!(ended(&second).outcome, Outcome::Exited { code: 5 });
}

#[test]
fn leftovers_in_the_background_end_with_the_command_and_are_named() {
    let world = World::new();
    let note = world.note("left");
    let text = format!(
        "setsid sh -c 'echo $$ > {n}; exec sleep 1000' & while [ ! -s {n} ]; do sleep 0.01; done; exit 3",
        n = note.display()
    );
    let (_, status) = world.run(&sh(&text));
    assert_eq!((&status.outcome, &status.cause), (&Outcome::Exited { code: 3 }, &Cause::Own));
    assert!(!alive(pid_in(&note)));
    assert!(status.killed.iter().any(|killed| killed.comm == "sleep"), "{:?}", status.killed);
}

#[test]
fn a_helper_that_ends_because_its_command_did_may_finish() {
    let world = World::new();
    let mut spec = argv(&["/bin/bash", "-c", "exec > >(tr a-z A-Z); echo last words"]);
    spec.timeout_ms = Some(30_000);
    if !std::path::Path::new("/bin/bash").exists() {
        eprintln!("skipped: no bash");
        return;
    }
    let (dir, status) = world.run(&spec);
    assert_eq!(dir.output(0).unwrap(), b"LAST WORDS\n");
    assert!(status.killed.is_empty(), "{:?}", status.killed);
}

#[test]
fn a_family_that_forks_as_fast_as_it_can_is_killed_to_the_last() {
    let world = World::new();
    let mut spec = sh(
        "breed() { while :; do (sleep 0.01; setsid sleep 1000) & sleep 0.005; done; }; trap '' TERM; breed & breed & wait",
    );
    spec.timeout_ms = Some(400);
    let dir = world.start(&spec);
    let status = ended(&dir);
    assert_eq!(status.cause, Cause::Timeout);
    let mark = format!("DECKLOG_RUN={}", spec.run);
    let carries = |pid: &str| {
        std::fs::read(format!("/proc/{pid}/environ"))
            .is_ok_and(|env| env.split(|b| *b == 0).any(|var| var == mark.as_bytes()))
    };
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let left = all.filter(|e| carries(e.file_name().to_str().unwrap())).count();
    assert_eq!(left, 0);
}

#[test]
fn no_zombie_is_left_in_the_executor() {
    let world = World::new();
    let program = executor::attempt::SupervisorProgram::keeping(crate::world::AGENT.into(), 0);
    let dir = world.prepare(&sh(":"));
    let supervisor = dir.start(&program).unwrap().supervisor;
    dir.wait(LONG).unwrap();
    eventually("the supervisor to be gone", || {
        (!std::path::Path::new(&format!("/proc/{supervisor}")).exists()).then_some(())
    });
}

#[test]
fn a_finished_attempt_can_be_removed_and_a_running_one_cannot() {
    let world = World::new();
    let running = world.start(&sh("exec sleep 1000"));
    supervisor(&running);
    assert!(matches!(running.remove(), Err(AttemptError::StillRunning(_))));
    running.cancel("test over").unwrap();
    ended(&running);
    running.remove().unwrap();
    assert_eq!(executor::attempt::list(world.root.path()).unwrap(), vec![]);
}
