//! Output of attempts, for whoever asks.

use std::path::Path;

use crate::attempt::AttemptDir;

/// Most bytes of one answer.
const ANSWER_BYTES: usize = 512 * 1024;

/// Output of an attempt on this machine, from `offset` on; `None` where there is no such attempt.
///
/// # Errors
/// The output cannot be read.
pub fn read_output(
    attempts: &Path,
    run: &str,
    attempt: u32,
    offset: u64,
) -> anyhow::Result<Option<Vec<u8>>> {
    AttemptDir::find(attempts, run, attempt).map(|dir| Ok(dir.output(offset)?)).transpose()
}

/// The same, and at most so many bytes.
pub(crate) fn part(
    attempts: &Path,
    run: &str,
    attempt: u32,
    offset: u64,
    limit: u32,
) -> anyhow::Result<Option<Vec<u8>>> {
    let mut found = read_output(attempts, run, attempt, offset)?;
    if let Some(bytes) = &mut found {
        bytes.truncate((limit as usize).min(ANSWER_BYTES));
    }
    Ok(found)
}
