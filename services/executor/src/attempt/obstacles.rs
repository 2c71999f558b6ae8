//! What would keep a command from being started here, as far as it shows beforehand.

use nix::unistd::{AccessFlags, access, geteuid};

use super::launch::{Account, resolve, search_path};
use super::spec::{Program, Spec};

/// Why it cannot run as its user.
pub(crate) fn user(spec: &Spec) -> Option<String> {
    let name = spec.run_as.as_ref()?;
    match Account::named(name) {
        Err(problem) => Some(problem),
        Ok(account) if account.is_another() && !geteuid().is_root() => {
            Some(format!("cannot become {name}: run the executor as root, or as {name}"))
        }
        Ok(_) => None,
    }
}

/// Why its program, or the interpreter of its script, cannot be started. One that is found from the working directory
/// is not looked for.
pub(crate) fn program(spec: &Spec) -> Option<String> {
    let what = match spec.program {
        Program::Argv(_) => "the program",
        Program::Script { .. } => "the interpreter",
    };
    let word = spec.program.executed().first().map_or("", String::as_str);
    let path = search_path(spec);
    let Some(found) = resolve(word, path) else {
        return Some(format!("{what} {word} is not in {path}; install it, or give its full path"));
    };
    if found.is_relative() {
        return None;
    }
    let wrong = match std::fs::metadata(&found) {
        Err(error) => error.to_string(),
        Ok(meta) if !meta.is_file() => "it is no regular file".to_owned(),
        Ok(_) => access(&found, AccessFlags::X_OK).err()?.desc().to_owned(),
    };
    Some(format!("{what} {} cannot be executed: {wrong}", found.display()))
}
