//! Output of attempts, for whoever asks.

use std::path::Path;

use domain::backup::progress::Progress;

use crate::attempt::AttemptDir;

/// Most bytes of one answer.
const ANSWER_BYTES: usize = 512 * 1024;

/// Most looks at a file that is written over.
const READS: usize = 5;

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

/// How far an engine of an attempt on this machine is, as JSON; `None` where there is none, or it said nothing.
///
/// # Errors
/// It cannot be read.
pub(crate) fn progress(
    attempts: &Path,
    run: &str,
    attempt: u32,
) -> anyhow::Result<Option<Vec<u8>>> {
    let Some(dir) = AttemptDir::find(attempts, run, attempt) else { return Ok(None) };
    // It is written over while we read: half of the old and half of the new is nothing.
    for _ in 0..READS {
        let Some(bytes) = dir.progress()? else { return Ok(None) };
        if serde_json::from_slice::<Progress>(&bytes).is_ok() {
            return Ok(Some(bytes));
        }
    }
    Ok(None)
}

/// Output of an attempt, and at most so many bytes.
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
