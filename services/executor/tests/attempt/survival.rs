//! What a killed executor, a killed supervisor and a lost race leave behind.

use std::process::{Command, Stdio};
use std::time::Duration;

use executor::attempt::{
    AttemptDir, AttemptError, Cause, Outcome, State, SupervisorProgram, cgroup, list,
};

use crate::world::{
    AGENT, LONG, World, alive, claim, claim_of, ended, eventually, kill, pid_in, sh, supervisor,
    trouble,
};

/// Not a test of its own: this binary once more, as an executor that starts an attempt and is killed.
#[test]
fn an_executor_to_be_killed() {
    let Some(dir) = std::env::var_os("TEST_ATTEMPT_ROOT") else { return };
    let program = SupervisorProgram::new(AGENT.into());
    let dir = list(dir.as_ref()).unwrap().remove(0);
    dir.start(&program).unwrap();
    dir.wait(LONG).unwrap();
}

/// Starts the only attempt of this world from another process, and gives that.
fn other_executor(world: &World) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "survival::an_executor_to_be_killed"])
        .env("TEST_ATTEMPT_ROOT", world.root.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// A script that writes its number, waits until that file is gone, and exits with 42.
fn until_told(note: &std::path::Path) -> String {
    let n = note.display();
    format!("echo begun; echo $$ > {n}; while [ -e {n} ]; do sleep 0.01; done; echo over; exit 42")
}

#[test]
fn after_the_executor_was_killed_the_exact_outcome_is_known() {
    let world = World::new();
    let note = world.note("told");
    let dir = world.prepare(&sh(&until_told(&note)));
    let mut executor = other_executor(&world);
    let command = pid_in(&note);
    kill(executor.id().cast_signed());
    executor.wait().unwrap();
    assert!(alive(command));
    let found = list(world.root.path()).unwrap();
    assert_eq!(found, vec![dir.clone()]);
    assert!(matches!(dir.state().unwrap(), State::Running { .. }));
    assert_eq!(dir.wait(Duration::from_millis(1)).unwrap(), None);
    let supervisor = supervisor(&dir);
    std::fs::remove_file(&note).unwrap();
    assert_eq!(ended(&dir).outcome, Outcome::Exited { code: 42 });
    assert_eq!(dir.output(0).unwrap(), b"begun\nover\n");
    eventually("the supervisor to end, its executor being gone", || {
        (!alive(supervisor)).then_some(())
    });
}

#[test]
fn a_restarted_executor_can_cancel_what_the_killed_one_started() {
    let world = World::new();
    let note = world.note("cancelled");
    let dir = world.prepare(&sh(&until_told(&note)));
    let mut executor = other_executor(&world);
    let command = pid_in(&note);
    kill(executor.id().cast_signed());
    executor.wait().unwrap();
    dir.cancel("after the restart").unwrap();
    assert_eq!(ended(&dir).cause, Cause::Cancelled { reason: "after the restart".into() });
    assert!(!alive(command));
}

#[test]
fn one_who_watches_beside_a_living_executor_sees_the_end_too() {
    let world = World::new();
    let note = world.note("watched");
    let dir = world.prepare(&sh(&until_told(&note)));
    let mut executor = other_executor(&world);
    pid_in(&note);
    let seen = std::thread::spawn(move || ended(&dir));
    std::fs::remove_file(&note).unwrap();
    assert_eq!(seen.join().unwrap().outcome, Outcome::Exited { code: 42 });
    executor.wait().unwrap();
}

#[test]
fn what_was_disowned_before_the_supervisor_came_never_runs() {
    let world = World::new();
    let note = world.note("ran");
    let dir = world.prepare(&sh(&format!("touch {}", note.display())));
    assert!(dir.disown().unwrap());
    assert!(dir.disown().unwrap());
    dir.start(&world.program).unwrap();
    assert_eq!(dir.wait(LONG).unwrap(), Some(State::Disowned));
    assert!(!note.exists(), "{}", trouble(&dir));
}

#[test]
fn of_disowning_and_starting_at_once_exactly_one_wins() {
    let world = World::new();
    let mut ran = 0;
    for number in 0..40 {
        let note = world.note(&format!("race-{number}"));
        let dir = world.start(&sh(&format!("touch {}", note.display())));
        let disowned = dir.disown().unwrap();
        let state = dir.wait(LONG).unwrap().unwrap();
        assert_eq!(disowned, state == State::Disowned);
        assert_eq!(disowned, !note.exists());
        ran += i32::from(!disowned);
        let _tidy = std::fs::remove_file(note);
    }
    eprintln!("{ran} of 40 ran");
}

#[test]
fn an_attempt_started_twice_runs_once() {
    let world = World::new();
    let note = world.note("twice");
    let dir = world.prepare(&sh(&until_told(&note)));
    let mut other = other_executor(&world);
    pid_in(&note);
    dir.start(&world.program).unwrap();
    assert!(matches!(dir.start(&world.program), Err(AttemptError::AlreadyStarted(_))));
    // Our supervisor is done at once; the wait goes on for the one that has the claim.
    assert_eq!(dir.wait(Duration::from_millis(100)).unwrap(), None);
    std::fs::remove_file(&note).unwrap();
    assert_eq!(ended(&dir).outcome, Outcome::Exited { code: 42 });
    assert_eq!(dir.output(0).unwrap(), b"begun\nover\n");
    other.wait().unwrap();
}

/// Two processes that outlive their supervisor: one in a session of its own, one without our marks.
fn orphans(world: &World) -> (String, [std::path::PathBuf; 2]) {
    let notes = [world.note("own-session"), world.note("no-marks")];
    let [a, b] = notes.each_ref().map(|note| note.display());
    let text = format!(
        "setsid sh -c 'echo $$ > {a}; exec sleep 1000' & \
         env -i /bin/sh -c 'echo $$ > {b}; exec sleep 1000' & wait"
    );
    (text, notes)
}

#[test]
fn a_killed_supervisor_is_seen_as_vanished_and_its_leftovers_are_killed() {
    let world = World::new();
    let (text, notes) = orphans(&world);
    let dir = world.start(&sh(&text));
    let pids = notes.map(|note| pid_in(&note));
    kill(supervisor(&dir));
    assert_eq!(dir.wait(LONG).unwrap(), Some(State::Vanished));
    assert_eq!(dir.state().unwrap(), State::Vanished);
    assert!(pids.iter().all(|pid| alive(*pid)));
    let killed = dir.kill_leftovers().unwrap();
    assert!(pids.iter().all(|pid| !alive(*pid)));
    assert!(pids.iter().all(|pid| killed.iter().any(|k| k.pid == pid.cast_unsigned())));
    assert_eq!(dir.kill_leftovers().unwrap(), vec![]);
}

#[test]
fn in_a_cgroup_nothing_of_a_killed_supervisor_escapes() {
    let Some(parent) = cgroup::delegated() else {
        eprintln!("skipped: no cgroup v2 directory is writable here");
        return;
    };
    let world = World::new();
    let (text, notes) = orphans(&world);
    let mut spec = sh(&text);
    spec.cgroup = Some(parent.clone());
    let dir = world.start(&spec);
    let pids = notes.map(|note| pid_in(&note));
    kill(supervisor(&dir));
    assert_eq!(dir.wait(LONG).unwrap(), Some(State::Vanished));
    // The command died with its supervisor, so the one without marks has no marked ancestor left.
    dir.kill_leftovers().unwrap();
    assert!(pids.iter().all(|pid| !alive(*pid)));
    assert!(!parent.join(dir.path().file_name().unwrap()).exists());
}

#[test]
fn a_vanished_supervisor_does_not_spoil_the_next_attempt() {
    let world = World::new();
    let (first, _) = world.run(&sh(":"));
    let claim = claim_of(&first).unwrap();
    let idle = claim.split(' ').nth(2).unwrap().parse().unwrap();
    kill(idle);
    eventually("the idle supervisor's end", || (!alive(idle)).then_some(()));
    assert_eq!(world.run(&sh("exit 2")).1.outcome, Outcome::Exited { code: 2 });
}

#[test]
fn a_number_used_again_is_not_taken_for_the_supervisor() {
    let world = World::new();
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let me = std::process::id();
    for (start, boot) in [("1", boot.trim()), ("1", "another-boot")] {
        let dir = world.prepare(&sh(":"));
        claim(&dir, &format!("claim supervised {me} {start} {boot}"));
        assert_eq!(dir.state().unwrap(), State::Vanished);
        assert_eq!(dir.wait(LONG).unwrap(), Some(State::Vanished));
        dir.cancel("nobody to hear it").unwrap();
    }
}

#[test]
fn a_wait_for_a_stranger_goes_on_while_other_files_come_to_their_names() {
    let world = World::new();
    let dir = world.prepare(&sh(":"));
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let start = stat.rsplit_once(") ").unwrap().1.split(' ').nth(19).unwrap().to_owned();
    claim(&dir, &format!("claim supervised {} {start} {}", std::process::id(), boot.trim()));
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (a, b) = (dir.path().join(".output"), dir.path().join("output.zst"));
            std::fs::write(&a, b"").unwrap();
            while !over.load(std::sync::atomic::Ordering::Relaxed) {
                std::fs::rename(&a, &b).unwrap();
                std::fs::rename(&b, &a).unwrap();
            }
        });
        let waited = dir.wait(std::time::Duration::from_millis(200));
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(waited.unwrap(), None);
    });
}

#[test]
fn a_status_damaged_by_a_power_cut_counts_as_none_and_any_other_as_damage() {
    let world = World::new();
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    for (boot, vanished) in [("another-boot", true), (boot.trim(), false)] {
        let dir = world.prepare(&sh(":"));
        claim(&dir, &format!("claim supervised 1 1 {boot}"));
        std::fs::write(dir.path().join("status.json"), "\0\0\0").unwrap();
        assert_eq!(dir.state().ok(), vanished.then_some(State::Vanished));
    }
}

#[test]
fn a_prepared_attempt_is_found_again_by_its_run() {
    let world = World::new();
    let spec = sh(":");
    let dir = world.prepare(&spec);
    assert_eq!(AttemptDir::find(world.root.path(), &spec.run, 1), Some(dir.clone()));
    assert_eq!(AttemptDir::find(world.root.path(), &spec.run, 2), None);
    assert_eq!((dir.state().unwrap(), dir.spec().unwrap()), (State::Prepared, spec));
}

#[test]
fn after_a_restart_of_the_host_what_nobody_claimed_may_have_run_all_the_same() {
    let world = World::new();
    let dir = world.prepare(&sh(":"));
    let path = dir.path().join("spec.json");
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let text = std::fs::read_to_string(&path).unwrap().replace(boot.trim(), "another-boot");
    for text in [text.as_str(), "\0\0\0"] {
        std::fs::write(&path, text).unwrap();
        assert_eq!(dir.state().unwrap(), State::Vanished);
    }
}

#[test]
fn a_directory_used_again_says_nothing_of_its_former_attempt() {
    let world = World::new();
    let (first, _) = world.run(&sh("echo secret"));
    let mut tail = first.tail();
    assert_eq!(tail.read().unwrap(), b"secret\n");
    first.remove().unwrap();
    let second = world.prepare(&sh("exit 3"));
    assert_eq!(second.state().unwrap(), State::Prepared);
    assert_eq!(second.output(0).unwrap(), b"");
    second.start(&world.program).unwrap();
    assert_eq!(ended(&second).outcome, Outcome::Exited { code: 3 });
    assert_eq!(second.output(0).unwrap(), b"");
    second.remove().unwrap();
    let (third, _) = world.run(&sh("echo third"));
    assert_eq!(third.output(0).unwrap(), b"third\n");
    assert_eq!(tail.read().unwrap(), b"");
}
