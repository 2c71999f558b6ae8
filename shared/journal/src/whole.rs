//! Small files that are replaced as a whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Replaces a file: after a power loss it holds what it held or all of `bytes`. A new one has `mode`, less the process's
/// mask, from its first byte.
///
/// # Errors
/// The file or its directory cannot be written.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let draft = PathBuf::from(draft);
    let _of_an_earlier_try = fs::remove_file(&draft);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    let here = Path::new(".");
    let dir = path.parent().map(|dir| if dir.as_os_str().is_empty() { here } else { dir });
    dir.map_or(Ok(()), |dir| File::open(dir)?.sync_all())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_replaced_with_its_mode_also_where_an_earlier_try_left_a_draft() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("note.json");
        fs::write(dir.path().join("note.json.new"), "half of a dra").unwrap();
        fs::write(dir.path().join("note.new"), "somebody else's").unwrap();
        for text in ["one", "another"] {
            replace(&path, text.as_bytes(), 0o600).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "no draft is left");
        assert_eq!(fs::read_to_string(dir.path().join("note.new")).unwrap(), "somebody else's");
    }
}
