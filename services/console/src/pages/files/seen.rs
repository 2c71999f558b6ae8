//! What a host saw, as much of it as a page holds.

use domain::backup::Dataset;
use domain::backup::looking::{Looked, NAMES_MAX, Name};
use domain::backup::progress::size;
use jiff::Timestamp;

use super::wanted::{PAGE, Sought, Word, below, carried, carried_of};
use crate::pages::when;
use crate::pages::words::{Marked, printable};

/// Most bytes of markup that the names on a page take.
const BYTES: usize = 62 * 1024;
/// Markup of a row beside its name.
const ROW_BYTES: usize = 480;
/// Most sentences about what could not be read.
const UNREAD: usize = 20;

/// A name.
pub(super) struct Row {
    pub(super) change: Option<Marked>,
    /// Of which snapshot it is, and how old that is, where the list is of several.
    pub(super) snapshot: String,
    pub(super) taken: String,
    pub(super) name: String,
    /// As its buttons carry it.
    pub(super) value: String,
    pub(super) is_dir: bool,
    pub(super) size: String,
    pub(super) at: String,
    pub(super) mode: String,
}

/// A directory above.
pub(super) struct Parent {
    pub(super) name: String,
    pub(super) path: String,
}

/// What was seen.
pub(super) struct Seen {
    pub(super) heading: String,
    pub(super) parents: Vec<Parent>,
    pub(super) of_several: bool,
    pub(super) differs: bool,
    pub(super) rows: Vec<Row>,
    pub(super) host: String,
    /// What is sent again with each button.
    pub(super) kept: Vec<(&'static str, String)>,
    /// Which of the names are shown, in words.
    pub(super) span: String,
    /// How many were shown, where there are more that a page can show.
    pub(super) more: Option<u32>,
    /// Whether there are more that no page shows.
    pub(super) beyond: bool,
    pub(super) unread: Vec<String>,
    pub(super) position: u64,
}

impl Seen {
    pub(super) fn of(sought: &Sought, looked: Looked, dataset: &Dataset, position: u64) -> Self {
        let told = u32::try_from(looked.names.len()).unwrap_or(u32::MAX);
        let rows = rows(sought, &looked, dataset);
        let shown = sought.from.saturating_add(u32::try_from(rows.len()).unwrap_or(u32::MAX));
        let may_be_told_more = looked.more && told == sought.limit() && told < NAMES_MAX;
        let more = (!rows.is_empty() && (shown < told || may_be_told_more)).then_some(shown);
        let kept = Sought { repository: looked.repository.clone(), ..sought.clone() };
        let mut kept = kept.kept();
        if sought.word == Word::Diff {
            kept.push(("repository", looked.repository.clone()));
        }
        Self {
            heading: heading(sought, &looked, dataset),
            parents: if sought.word == Word::Browse { parents(&sought.path) } else { Vec::new() },
            of_several: sought.word == Word::Find,
            differs: sought.word == Word::Diff,
            span: span(sought.from, shown, rows.is_empty()),
            rows,
            host: looked.host,
            kept,
            beyond: more.is_none() && looked.more,
            more,
            unread: looked.unread.into_iter().take(UNREAD).map(|text| plain(&text)).collect(),
            position,
        }
    }
}

fn span(from: u32, shown: u32, nothing: bool) -> String {
    match (from, nothing) {
        (0, true) => "There is none.".to_owned(),
        (_, true) => "There are no more.".to_owned(),
        (_, false) => format!("{} to {shown}", from + 1),
    }
}

/// A snapshot in words.
fn one(dataset: &Dataset, repository: &str, name: &str) -> String {
    let letters = name.split_once(':').map_or(name, |(_, letters)| letters);
    let known = dataset.in_repository(repository);
    let found = known.into_iter().find(|one| one.id.to_string().starts_with(letters));
    match found {
        Some(one) => format!("snapshot {} ({})", one.id.short(), when(one.taken)),
        None => format!("snapshot {letters}"),
    }
}

fn heading(sought: &Sought, looked: &Looked, dataset: &Dataset) -> String {
    let repository = &looked.repository;
    match sought.word {
        Word::Browse | Word::Nothing => {
            let path = if sought.path.is_empty() { "/" } else { &sought.path };
            let of = one(dataset, repository, &sought.snapshot);
            format!("{} in {of} of {repository}", plain(path))
        }
        Word::Find => format!("{} in all snapshots of {repository}", plain(&sought.pattern)),
        Word::Diff => format!(
            "What {} has and {} had otherwise, in {repository}",
            one(dataset, repository, &sought.newer),
            one(dataset, repository, &sought.older)
        ),
    }
}

/// The directories above a path, the root first, and itself.
fn parents(path: &str) -> Vec<Parent> {
    let mut found = vec![Parent { name: "/".to_owned(), path: "/".to_owned() }];
    let mut whole = String::new();
    for name in path.split('/').filter(|name| !name.is_empty()) {
        whole = below(&whole, name);
        found.push(Parent { name: plain(name), path: format!("{whole}/") });
    }
    found
}

/// What markup may cost.
fn cost(row: &Row) -> usize {
    let marked = |text: &str| {
        text.chars().map(|c| if "<>&\"'".contains(c) { 5 } else { c.len_utf8() }).sum::<usize>()
    };
    let buttons = if row.is_dir { 2 } else { 1 };
    ROW_BYTES + marked(&row.name) + marked(&row.value) * buttons
}

/// As many rows from where the page begins as it holds, and one at least.
fn rows(sought: &Sought, looked: &Looked, dataset: &Dataset) -> Vec<Row> {
    let mut left = BYTES;
    let mut found = Vec::new();
    for name in looked.names.iter().skip(sought.from as usize).take(PAGE as usize) {
        let row = row(sought, name, looked, dataset);
        let rest = left.checked_sub(cost(&row));
        if rest.is_none() && !found.is_empty() {
            break;
        }
        left = rest.unwrap_or(0);
        found.push(row);
    }
    found
}

fn row(sought: &Sought, name: &Name, looked: &Looked, dataset: &Dataset) -> Row {
    let letters: String = name.snapshot.chars().take(super::LETTERS).collect();
    let last = name.path.rsplit('/').next().unwrap_or(&name.path);
    let (shown, value) = match sought.word {
        Word::Browse | Word::Nothing => (last, carried(last)),
        Word::Find | Word::Diff => (name.path.as_str(), carried_of(&letters, &name.path)),
    };
    let of_several = sought.word == Word::Find;
    let taken = || {
        let known = dataset.in_repository(&looked.repository);
        let mut known = known.filter(|one| one.id.to_string() == name.snapshot);
        known.next().map(|one| when(one.taken)).unwrap_or_default()
    };
    let at = Timestamp::from_microsecond(name.mtime).unwrap_or_default();
    Row {
        change: name.change.as_deref().map(change),
        snapshot: if of_several { letters.chars().take(8).collect() } else { String::new() },
        taken: if of_several { taken() } else { String::new() },
        name: plain(shown),
        value,
        is_dir: name.kind == "dir",
        size: if name.kind == "file" { size(name.size) } else { String::new() },
        at: when(at),
        mode: mode(&name.kind, name.mode),
    }
}

fn change(word: &str) -> Marked {
    let tone = match word {
        "added" => "good",
        "removed" => "bad",
        _ => "warn",
    };
    Marked::tuned(word, tone)
}

/// Kind and permissions, as `ls -l` writes them.
fn mode(kind: &str, mode: u32) -> String {
    let first = match kind {
        "dir" => 'd',
        "symlink" => 'l',
        "file" => '-',
        other => other.chars().next().unwrap_or('?'),
    };
    let bit = |(place, letter): (u32, char)| if mode & (1 << place) == 0 { '-' } else { letter };
    let rights = (0..9).rev().zip("rwx".chars().cycle()).map(bit);
    std::iter::once(first).chain(rights).collect()
}

/// A name on one line, whatever is in it.
fn plain(text: &str) -> String {
    printable(text.as_bytes()).replace(['\n', '\t'], "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kind_and_permissions_are_written_as_everybody_knows_them() {
        for (kind, bits, wanted) in [
            ("file", 0o644, "-rw-r--r--"),
            ("dir", 0o755, "drwxr-xr-x"),
            ("symlink", 0o777, "lrwxrwxrwx"),
            ("file", 0o100_400, "-r--------"),
        ] {
            assert_eq!(mode(kind, bits), wanted);
        }
    }

    #[test]
    fn a_directory_has_those_above_it_and_itself() {
        let all = parents("/srv/a b");
        let paths: Vec<(&str, &str)> = all.iter().map(|one| (&*one.name, &*one.path)).collect();
        assert_eq!(paths, [("/", "/"), ("srv", "/srv/"), ("a b", "/srv/a b/")]);
        assert_eq!(parents("").len(), 1);
    }

    #[test]
    fn a_page_of_names_is_bounded_by_what_their_markup_takes() {
        let name = |n: usize| Name {
            snapshot: "ab".repeat(32),
            path: format!("/d/{}{n}", "<".repeat(100)),
            kind: "dir".to_owned(),
            size: 0,
            mtime: 0,
            mode: 0o755,
            change: None,
        };
        let names = (0..400).map(name).collect();
        let looked = Looked { repository: "v".to_owned(), names, more: true, ..Looked::default() };
        let sought = Sought { word: Word::Browse, path: "/d".to_owned(), ..Sought::default() };
        let dataset = Dataset::new("d");
        let first = Seen::of(&sought, looked.clone(), &dataset, 1);
        assert!(first.rows.len() > 10 && first.rows.len() < 60, "{}", first.rows.len());
        assert_eq!(first.more, u32::try_from(first.rows.len()).ok());
        let last = Sought { from: 399, ..sought };
        let last = Seen::of(&last, looked, &dataset, 1);
        assert_eq!((last.rows.len(), last.more, last.beyond), (1, None, true));
        assert_eq!(last.span, "400 to 400");
    }
}
