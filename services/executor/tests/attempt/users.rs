//! Commands as other users.

use executor::attempt::{Outcome, Program};

use crate::world::{World, argv, sh};

fn root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        eprintln!("skipped: only root can become somebody else");
    }
    root
}

#[test]
fn a_command_runs_as_its_user_with_nothing_of_ours() {
    if !root() {
        return;
    }
    let world = World::new();
    let mut spec = sh("id -un; id -Gn; echo $USER $LOGNAME; grep SigBlk /proc/self/status; exit 6");
    spec.run_as = Some("nobody".into());
    let (dir, status) = world.run(&spec);
    let output = String::from_utf8(dir.output(0).unwrap()).unwrap();
    assert_eq!(status.outcome, Outcome::Exited { code: 6 }, "{output}");
    assert!(output.starts_with("nobody\nnogroup\nnobody nobody\n"), "{output}");
}

#[test]
fn a_script_can_be_read_by_its_user_and_its_specification_cannot() {
    if !root() {
        return;
    }
    let world = World::new();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o711);
    std::fs::set_permissions(world.root.path(), open).unwrap();
    let mut spec = argv(&[]);
    spec.run_as = Some("nobody".into());
    spec.program = Program::Script {
        interpreter: vec!["/bin/sh".into()],
        text: "echo here; cat \"$(dirname \"$0\")/spec.json\" 2>/dev/null || exit 8".into(),
    };
    let (dir, status) = world.run(&spec);
    assert_eq!(status.outcome, Outcome::Exited { code: 8 });
    assert_eq!(dir.output(0).unwrap(), b"here\n");
}

#[test]
fn a_script_that_its_user_cannot_reach_is_said_not_to_have_started() {
    if !root() {
        return;
    }
    let world = World::new();
    let closed = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(world.root.path(), closed).unwrap();
    let mut spec = argv(&[]);
    spec.run_as = Some("nobody".into());
    spec.program =
        Program::Script { interpreter: vec!["/bin/sh".into()], text: "echo here".into() };
    let (_, status) = world.run(&spec);
    let Outcome::NotStarted { message } = status.outcome else { panic!("{status:?}") };
    assert!(message.contains("chmod o+x"), "{message}");
}

#[test]
fn a_user_that_is_not_there_is_named() {
    let world = World::new();
    let mut spec = argv(&["/bin/true"]);
    spec.run_as = Some("no-such-user".into());
    let (_, status) = world.run(&spec);
    let Outcome::NotStarted { message } = status.outcome else { panic!("{status:?}") };
    assert!(message.contains("no user no-such-user"), "{message}");
}

#[test]
fn through_the_gate_too_what_cannot_start_is_said_not_to_have_started() {
    if !root() {
        return;
    }
    let world = World::new();
    for (word, cwd, why) in [
        ("/no/such/program", "/", "cannot start /no/such/program"),
        ("/bin/true", "/no/such/directory", "cannot start in /no/such/directory"),
        ("/bin/true", "/root", "cannot start in /root: Permission denied"),
    ] {
        let mut spec = argv(&[word]);
        spec.run_as = Some("nobody".into());
        spec.cwd = Some(cwd.into());
        let (_, status) = world.run(&spec);
        let Outcome::NotStarted { message } = status.outcome else { panic!("{status:?}") };
        assert!(message.contains(why), "{message}");
    }
}

#[test]
fn the_gates_own_exit_code_belongs_to_the_command_if_it_ran() {
    if !root() {
        return;
    }
    let world = World::new();
    let mut spec = sh("exit 125");
    spec.run_as = Some("nobody".into());
    let (_, status) = world.run(&spec);
    assert_eq!(status.outcome, Outcome::Exited { code: 125 });
}
