//! Heads that a time-stamping authority was asked about, as the recorder has kept them in a directory.

use std::path::Path;

use evidence::Head;
use evidence::timestamps::TIMESTAMPS_MAX;

/// What authorities said of heads, by their sizes.
pub(super) type Stamps = Vec<(u64, Vec<u8>)>;

/// What was said of heads of the log of this one, up to it: of more than a bundle may have, of the last. The heads are added to
/// the earlier ones where they are not among them: a log has far more heads than evidence has.
pub(super) fn add(dir: &Path, last: &Head, earlier: &mut Vec<Head>) -> anyhow::Result<Stamps> {
    let mut stamps = Stamps::new();
    for kept in audit::stamped_heads(dir)? {
        let head = match Head::read(&kept.note) {
            Ok(head) => head,
            Err(error) => {
                eprintln!("a time stamp in {} is left out: its head: {error}", dir.display());
                continue;
            }
        };
        let size = head.says.size();
        if head.says.origin() != last.says.origin() || size > last.says.size() {
            continue;
        }
        let known = |known: &Head| known.note.text() == head.note.text();
        if !known(last) && !earlier.iter().any(known) {
            earlier.push(head);
        }
        stamps.push((size, kept.answer));
    }
    earlier.sort_by_key(|head| head.says.size());
    Ok(stamps.split_off(stamps.len().saturating_sub(TIMESTAMPS_MAX)))
}
