//! Words of a shell's line.

pub(crate) use domain::shell::{line, quote};

/// Whether a program is a shell that knows `-c` and `-e`.
pub(crate) fn is_shell(program: &str) -> bool {
    let name = program.rsplit('/').next().unwrap_or_default();
    ["sh", "bash", "dash", "ksh", "zsh", "ash"].contains(&name)
}
