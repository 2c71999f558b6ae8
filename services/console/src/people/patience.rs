//! How often somebody may try to come in: each failure of an account, and each of an address, makes the next try wait.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// Failures of an account without a wait.
const FREE: u32 = 3;
/// The longest wait, in seconds.
const WAIT_MAX: i64 = 900;
/// Failures of an address without a wait: a whole office may share one.
const FREE_OF_ADDRESS: u32 = 20;
/// Accounts and addresses that are remembered; of more, the oldest are forgotten.
const REMEMBERED: usize = 10_000;

/// Failures since the last success, and when the next try may come.
#[derive(Debug, Clone, Copy)]
struct Failures {
    times: u32,
    until: Timestamp,
}

/// Who failed how often.
#[derive(Debug, Default)]
pub(crate) struct Patience(Mutex<BTreeMap<String, Failures>>);

fn of_address(from: IpAddr) -> String {
    // The network that one customer has: a host changes its address within it at will.
    match from {
        IpAddr::V4(address) => format!("@{address}"),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("@{a:x}:{b:x}:{c:x}:{d:x}")
        }
    }
}

fn wait(times: u32, free: u32) -> SignedDuration {
    let over = times.saturating_sub(free);
    let seconds = if over == 0 { 0 } else { 1_i64 << over.min(10) };
    SignedDuration::from_secs(seconds.min(WAIT_MAX))
}

impl Patience {
    /// How long they have to wait; `None` when they may try.
    pub(crate) fn wait(&self, name: &str, from: IpAddr, now: Timestamp) -> Option<SignedDuration> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let keys = [name.to_owned(), of_address(from)];
        let until = keys.iter().filter_map(|key| known.get(key)).map(|one| one.until).max()?;
        (until > now).then(|| until.duration_since(now))
    }

    /// They failed; how often this account has.
    pub(crate) fn failed(&self, name: &str, from: IpAddr, now: Timestamp) -> u32 {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut note = |key: String, free: u32| {
            let times = known.get(&key).map_or(0, |one| one.times).saturating_add(1);
            known.insert(key, Failures { times, until: now + wait(times, free) });
            times
        };
        note(of_address(from), FREE_OF_ADDRESS);
        let times = note(name.to_owned(), FREE);
        while known.len() > REMEMBERED {
            let oldest = known.iter().min_by_key(|(_, one)| one.until).map(|(key, _)| key.clone());
            let Some(oldest) = oldest else { break };
            known.remove(&oldest);
        }
        times
    }

    /// They came in.
    pub(crate) fn came_in(&self, name: &str, from: IpAddr) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(name);
        known.remove(&of_address(from));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_account_waits_longer_each_time_and_not_after_it_came_in() {
        let (patience, now) = (Patience::default(), Timestamp::UNIX_EPOCH);
        let here = ip("10.0.0.1");
        let mut waits = Vec::new();
        for _ in 0..14 {
            patience.failed("mia", here, now);
            waits.push(patience.wait("mia", here, now).map_or(0, |wait| wait.as_secs()));
        }
        assert_eq!(waits, [0, 0, 0, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]);
        let elsewhere = ip("10.0.0.2");
        assert!(patience.wait("mia", elsewhere, now).is_some(), "from wherever");
        assert!(patience.wait("bob", here, now).is_none());
        assert!(patience.wait("mia", here, now + SignedDuration::from_secs(900)).is_none());
        patience.came_in("mia", here);
        assert!(patience.wait("mia", here, now).is_none());
    }

    #[test]
    fn an_address_that_tries_many_accounts_waits_too() {
        let (patience, now) = (Patience::default(), Timestamp::UNIX_EPOCH);
        for n in 0..21 {
            patience.failed(&format!("u{n}"), ip("2001:db8::1"), now);
        }
        assert!(patience.wait("ana", ip("2001:db8::ffff"), now).is_some());
        assert!(patience.wait("ana", ip("2001:db8:0:1::1"), now).is_none());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (patience, now) = (Patience::default(), Timestamp::UNIX_EPOCH);
        for n in 0..12_000 {
            patience.failed(&format!("u{n}"), ip("10.0.0.1"), now);
        }
        assert!(patience.0.lock().unwrap().len() <= REMEMBERED);
    }
}
