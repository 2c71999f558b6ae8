//! Zone names, and the version of the tz database.

use jiff::tz::TimeZone;

use super::error::ScheduleError;

/// Names a tz directory may hold that mean "whatever this host is set to" or "not set": no schedule can depend
/// on them, because the same job would then name different instants on different machines.
const NOT_ZONES: [&str; 4] = ["localtime", "posixrules", "Factory", "Etc/Unknown"];

/// How many letters may differ for another name to be worth suggesting.
const NEAR: usize = 3;

/// Finds a zone by its IANA name.
///
/// # Errors
/// [`ScheduleError::UnknownZone`], with a near name if there is one.
pub(super) fn find(name: &str) -> Result<TimeZone, ScheduleError> {
    let refused = NOT_ZONES.iter().any(|other| other.eq_ignore_ascii_case(name));
    match TimeZone::get(name) {
        Ok(zone) if !refused && !zone.is_unknown() => Ok(zone),
        Ok(_) | Err(_) => {
            Err(ScheduleError::UnknownZone { zone: name.to_owned(), near: near(name) })
        }
    }
}

/// Checks a zone's name and returns it as the tz database spells it.
///
/// # Errors
/// [`ScheduleError::UnknownZone`], with a near name if there is one.
pub fn check_zone(name: &str) -> Result<String, ScheduleError> {
    find(name).map(|zone| zone.iana_name().unwrap_or("UTC").to_owned())
}

/// Where hosts have their time zone database, in the order in which it is looked for.
pub const TZDB_DIRS: [&str; 3] =
    ["/usr/share/zoneinfo", "/usr/share/lib/zoneinfo", "/etc/zoneinfo"];
/// Files of a time zone database that begin with its version, see [`tzdb_version_from`].
pub const TZDB_VERSION_FILES: [&str; 2] = ["tzdata.zi", "+VERSION"];

/// The version of the tz database from the first line of its `tzdata.zi` (`# version 2026a`), or from the
/// one-line file `+VERSION` some systems carry. Reading the file is the caller's business.
#[must_use]
pub fn tzdb_version_from(text: &str) -> Option<String> {
    let first = text.lines().next()?.trim();
    let version = first.strip_prefix("# version").unwrap_or(first).trim();
    let (year, letters) = version.split_at_checked(4)?;
    let plain = year.bytes().all(|b| b.is_ascii_digit())
        && letters.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    plain.then(|| version.to_owned())
}

/// The known zone nearest in spelling, if any is near enough to be what was meant.
fn near(name: &str) -> Option<String> {
    let wanted = folded(name);
    let mut best: Option<(usize, String)> = None;
    for known in jiff::tz::db().available() {
        let known = known.as_str();
        let distance = distance_to(&wanted, &folded(known));
        let better = best.as_ref().is_none_or(|(least, _)| distance < *least);
        if better && !NOT_ZONES.contains(&known) {
            best = Some((distance, known.to_owned()));
        }
    }
    best.filter(|(distance, known)| *distance <= NEAR && *distance < known.len())
        .map(|(_, known)| known)
}

/// Lower case, with a blank for each separator: `New York` and `new-york` are `New_York`.
fn folded(name: &str) -> Vec<char> {
    let plain = |c: char| if matches!(c, '_' | '-') { ' ' } else { c.to_ascii_lowercase() };
    name.trim().chars().map(plain).collect()
}

/// The distance to the whole name, or to its last part (`Berlin` for `Europe/Berlin`).
fn distance_to(wanted: &[char], known: &[char]) -> usize {
    let city = known.rsplit(|c| *c == '/').next().unwrap_or(known);
    // A city alone must be spelt exactly: with errors allowed as well, `Foo` would become some `Goose_Bay`.
    if city == wanted { 0 } else { edits(wanted, known) }
}

/// Levenshtein's edit distance.
fn edits(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (y, cell) in b.iter().zip(row.iter_mut().skip(1)) {
            let here = (diagonal + usize::from(x != y)).min(left + 1).min(*cell + 1);
            diagonal = *cell;
            *cell = here;
            left = here;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(usize::MAX)
}
