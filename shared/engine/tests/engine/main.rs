//! What the engines do, against real repositories, real files and the program restic.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a step that fails is a failed test")]

mod backing_up;
mod by_restic;
mod commands;
mod crashes;
#[cfg(feature = "remote")]
mod faulty;
mod interop;
mod looking;
mod made;
#[cfg(feature = "remote")]
mod remote;
mod restoring;

mod support;
mod verifying;

/// Not a test of anything: with the variable set, this process is an engine.
#[test]
fn this_program_is_an_engine_when_it_is_started_as_one() {
    if std::env::var_os(support::BE_ENGINE).is_none() {
        return;
    }
    let code = engine::main();
    let known = [0u8, 1, 3, 130];
    let code = known.into_iter().find(|n| std::process::ExitCode::from(*n) == code);
    std::process::exit(code.map_or(99, i32::from));
}
