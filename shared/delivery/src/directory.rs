//! A file in a directory of this machine, or one that is mounted here.

use std::fs::{self, File, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::{Builder, NamedTempFile};

use crate::error::check_size;
use crate::{DeliveryError, Put, Step};

/// Begins the name of a file that is not finished; whoever collects files leaves those with a dot alone.
pub(crate) const UNFINISHED: &str = ".decklog-tmp-";
/// Most bytes of a name: file systems have 255, and encrypting ones less.
const MOST_NAME: usize = 140;
/// Most bytes of the suffix in it.
const MOST_SUFFIX: usize = 64;
/// Most bytes of the extension in it.
const MOST_EXTENSION: usize = 16;
/// For the owner and a group that collects: documents are not for everybody.
const MODE: u32 = 0o640;

/// Writes a file that is there whole or not at all, and is durable when this returns. Nothing is replaced.
///
/// # Errors
/// [`DeliveryError::Refused`] at [`Step::Name`] when another document has the name; at other steps when the directory
/// does not let us write. [`DeliveryError::Lost`] when the file has its name and the disk did not say that it will stay.
pub fn put(dir: &Path, name: &str, content: &[u8], limit: u64) -> Result<Put, DeliveryError> {
    check_name(name)?;
    check_size(content.len(), limit)?;
    let failed = |step| move |error: io::Error| of_disk(step, dir, &error);
    let beside = write_beside(dir, content).map_err(failed(Step::Content))?;
    let place = dir.join(name);
    match beside.persist_noclobber(&place) {
        Ok(_file) => {
            let lost = |error| DeliveryError::lost(Step::Name, &shown(dir), &error);
            sync(dir).map_err(lost)?;
            Ok(Put::Written)
        }
        // The file that was written beside goes with the error.
        Err(refused) if refused.error.kind() == io::ErrorKind::AlreadyExists => {
            let same = is_same(&place, content).map_err(failed(Step::Compare))?;
            if same { there_already(dir) } else { Err(taken(name)) }
        }
        Err(refused) => Err(of_disk(Step::Name, dir, &refused.error)),
    }
}

fn write_beside(dir: &Path, content: &[u8]) -> io::Result<NamedTempFile> {
    let mut builder = Builder::new();
    builder.prefix(UNFINISHED).permissions(Permissions::from_mode(MODE));
    let mut file = builder.tempfile_in(dir)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// An earlier try may have died between naming the file and making the name durable.
fn there_already(dir: &Path) -> Result<Put, DeliveryError> {
    sync(dir).map_err(|error| of_disk(Step::Name, dir, &error))?;
    Ok(Put::AlreadyThere)
}

/// Makes the names in a directory durable, where its file system has that: some on servers say that they do not.
fn sync(dir: &Path) -> io::Result<()> {
    let without = [io::ErrorKind::InvalidInput, io::ErrorKind::Unsupported];
    match File::open(dir)?.sync_all() {
        Err(error) if without.contains(&error.kind()) => Ok(()),
        done => done,
    }
}

/// Whether a plain file has this content.
fn is_same(place: &Path, content: &[u8]) -> io::Result<bool> {
    let about = fs::symlink_metadata(place)?;
    let length = u64::try_from(content.len()).unwrap_or(u64::MAX);
    if !about.is_file() || about.len() != length {
        return Ok(false);
    }
    let mut there = Vec::with_capacity(content.len());
    File::open(place)?.take(length.saturating_add(1)).read_to_end(&mut there)?;
    Ok(there == content)
}

/// Another document has the name.
pub(crate) fn taken(name: &str) -> DeliveryError {
    let message = format!("{name:?} is there already with other content");
    DeliveryError::Refused { what: Step::Name, status: None, message, permanent: true }
}

/// What the system said, as what it leaves behind.
fn of_disk(what: Step, dir: &Path, error: &io::Error) -> DeliveryError {
    let refused = |permanent| {
        let message = format!("{}: {error}", shown(dir));
        DeliveryError::Refused { what, status: None, message, permanent }
    };
    use io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let kind = error.kind();
    if matches!(kind, PermissionDenied | ReadOnlyFilesystem) {
        return refused(true);
    }
    if matches!(kind, StorageFull | QuotaExceeded) {
        return refused(false);
    }
    // Also a directory that is not there: what is mounted there may come back.
    DeliveryError::unreached(what, &shown(dir), error)
}

fn shown(dir: &Path) -> String {
    dir.display().to_string()
}

/// A name of a file, and not a way to one.
pub(crate) fn check_name(name: &str) -> Result<(), DeliveryError> {
    let bad = |why| Err(DeliveryError::bad_message("file's name", why));
    if name.is_empty() || name.len() > 255 {
        return bad("it is empty or too long");
    }
    if name.starts_with('.') || name.contains('/') || name.chars().any(char::is_control) {
        return bad("it begins with a dot, or has a slash or control character in it");
    }
    Ok(())
}

/// Makes the name of a file of parts, such as a report's name and a date: letters, digits, `-`, `_` and `.` stay, the
/// rest becomes `_`. The parts are cut where the name would have more than 140 bytes; the suffix is not, so that names
/// differ where their suffixes do (of letters, digits and `-`, up to 64 bytes).
///
/// `file_name(&["Daily list", "2026-11-30"], "7f3a", "pdf")` is `Daily_list_2026-11-30_7f3a.pdf`.
pub fn file_name(parts: &[&str], suffix: &str, extension: &str) -> String {
    let suffix = cut(&safe(suffix), MOST_SUFFIX);
    let extension = cut(&safe(extension), MOST_EXTENSION);
    let end = match extension.trim_matches('.') {
        "" => suffix,
        extension => format!("{suffix}.{extension}"),
    };
    let parts = parts.iter().map(|part| safe(part)).filter(|part| !part.is_empty());
    let begin = parts.collect::<Vec<_>>().join("_");
    let begin = begin.trim_start_matches(['.', '-']);
    let begin = cut(begin, MOST_NAME.saturating_sub(end.len() + 1));
    match (begin.is_empty(), end.trim_start_matches(['.', '-'])) {
        (true, "") => "document".to_owned(),
        (true, end) => end.to_owned(),
        (false, end) => format!("{begin}_{end}"),
    }
}

fn safe(part: &str) -> String {
    let kept = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    part.trim().chars().map(|c| if kept(c) { c } else { '_' }).collect()
}

/// At most so many bytes, without half a character.
fn cut(text: &str, most: usize) -> String {
    text[..text.floor_char_boundary(most)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_of_what_every_file_system_takes() {
        let name = file_name(&["Daily list", "2026-11-30"], "7f3a", "pdf");
        assert_eq!(name, "Daily_list_2026-11-30_7f3a.pdf");
        assert_eq!(file_name(&["../../etc/passwd"], "1", "pdf"), "_.._etc_passwd_1.pdf");
        assert_eq!(file_name(&["..", "-rf *"], "1", ""), "_-rf___1");
        assert_eq!(file_name(&["a\r\nb\0"], "1/2", "p/df"), "a__b__1_2.p_df");
        assert_eq!(file_name(&["Prüfung \u{202e}"], "1", "pdf"), "Prüfung___1.pdf");
        assert_eq!(file_name(&[], "", ""), "document");
        assert_eq!(file_name(&["", " "], "1", "pdf"), "1.pdf");
    }

    #[test]
    fn a_long_name_is_cut_before_its_suffix() {
        let name = file_name(&[&"ü".repeat(500)], &"7".repeat(500), &"x".repeat(500));
        assert!(name.len() <= MOST_NAME && name.starts_with('ü'), "{name}");
        assert!(name.ends_with(&format!("{}.{}", "7".repeat(64), "x".repeat(16))), "{name}");
    }

    #[test]
    fn every_name_that_is_made_may_be_written() {
        for part in ["", ".", "..", "-", "/", "\\", "\u{0}", "a.", ".pdf", "_", "日本", "~", "$(x)"]
        {
            let name = file_name(&[part, part], part, part);
            assert_eq!(check_name(&name), Ok(()), "{part:?}: {name:?}");
            assert!(!name.starts_with('-'), "{name:?}");
        }
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_refused() {
        for name in ["", ".", "..", "a/b", "/a", ".hidden", "a\nb", &"a".repeat(256)] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
    }
}
