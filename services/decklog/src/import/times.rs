//! Times of day as minute and hour fields of crontab lines.

use std::collections::{BTreeMap, BTreeSet};

/// Minute and hour fields that name these times and no others: as few lines as have one minute list each.
pub(super) fn lines(times: &BTreeSet<(u8, u8)>) -> Vec<String> {
    let mut minutes_of: BTreeMap<u8, BTreeSet<u8>> = BTreeMap::new();
    for (hour, minute) in times {
        minutes_of.entry(*hour).or_default().insert(*minute);
    }
    let mut hours_of: BTreeMap<BTreeSet<u8>, BTreeSet<u8>> = BTreeMap::new();
    for (hour, minutes) in minutes_of {
        hours_of.entry(minutes).or_default().insert(hour);
    }
    let line = |(minutes, hours)| format!("{} {}", list_of(&minutes), list_of(&hours));
    hours_of.into_iter().map(line).collect()
}

pub(super) fn list_of(numbers: &BTreeSet<u8>) -> String {
    numbers.iter().map(u8::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_become_as_few_lines_as_say_them() {
        let of = |list: &[(u8, u8)]| lines(&list.iter().copied().collect());
        assert_eq!(of(&[(22, 5)]), ["5 22"]);
        assert_eq!(of(&[(22, 0), (6, 0)]), ["0 6,22"]);
        assert_eq!(of(&[(6, 0), (6, 30), (7, 0), (7, 30)]), ["0,30 6,7"]);
        assert_eq!(of(&[(6, 0), (18, 30)]), ["0 6", "30 18"]);
    }
}
