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

/// Whose failures they are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Whose {
    Account(String),
    /// The network that one customer has: a host changes its address within it at will.
    Network(String),
}

impl Whose {
    fn network(from: IpAddr) -> Self {
        Self::Network(match from {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}")
            }
        })
    }

    fn free(&self) -> u32 {
        match self {
            Self::Account(_) => FREE,
            Self::Network(_) => FREE_OF_ADDRESS,
        }
    }
}

/// Who failed how often.
#[derive(Debug, Default)]
pub(crate) struct Patience(Mutex<BTreeMap<Whose, Failures>>);

fn wait(times: u32, free: u32) -> SignedDuration {
    let over = times.saturating_sub(free);
    let seconds = if over == 0 { 0 } else { 1_i64 << over.min(10) };
    SignedDuration::from_secs(seconds.min(WAIT_MAX))
}

impl Patience {
    /// Somebody tries, which counts as a failure until they come in; how often this account has.
    ///
    /// # Errors
    /// How long they have to wait first.
    pub(crate) fn begin(
        &self,
        name: &str,
        from: IpAddr,
        now: Timestamp,
    ) -> Result<u32, SignedDuration> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // What is no name is no account: only its network counts.
        let account = domain::ids::is_name(name).then(|| Whose::Account(name.to_owned()));
        let whose: Vec<Whose> = [Whose::network(from)].into_iter().chain(account).collect();
        let until = whose.iter().filter_map(|key| known.get(key)).map(|one| one.until).max();
        if let Some(until) = until.filter(|until| *until > now) {
            return Err(until.duration_since(now));
        }
        let mut times = 0;
        for key in whose {
            times = known.get(&key).map_or(0, |one| one.times).saturating_add(1);
            let until = now + wait(times, key.free());
            known.insert(key, Failures { times, until });
        }
        forget_oldest(&mut known);
        Ok(times)
    }

    /// They came in: the account's failures are over, and this try of the network was none.
    pub(crate) fn came_in(&self, name: &str, from: IpAddr) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(&Whose::Account(name.to_owned()));
        if let Some(network) = known.get_mut(&Whose::network(from)) {
            network.times = network.times.saturating_sub(1);
        }
    }
}

fn forget_oldest(known: &mut BTreeMap<Whose, Failures>) {
    while known.len() > REMEMBERED {
        let oldest = known.iter().min_by_key(|(_, one)| one.until).map(|(key, _)| key.clone());
        let Some(oldest) = oldest else { return };
        known.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn waits(patience: &Patience, name: &str, from: &str, now: Timestamp) -> i64 {
        patience.begin(name, ip(from), now).err().map_or(0, |wait| wait.as_secs())
    }

    #[test]
    fn an_account_waits_longer_each_time_and_not_after_it_came_in() {
        let (patience, mut now) = (Patience::default(), Timestamp::UNIX_EPOCH);
        let mut seen = Vec::new();
        while seen.len() < 11 {
            match patience.begin("mia", ip("10.0.0.1"), now) {
                Ok(_) => {}
                Err(wait) => {
                    seen.push(wait.as_secs());
                    now += wait;
                }
            }
        }
        assert_eq!(seen, [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]);
        patience.begin("mia", ip("10.0.0.1"), now).unwrap();
        assert_eq!(waits(&patience, "mia", "10.0.0.2", now), 900, "from wherever");
        assert_eq!(waits(&patience, "bob", "10.0.0.3", now), 0);
        patience.came_in("mia", ip("10.0.0.1"));
        assert_eq!(waits(&patience, "mia", "10.0.0.2", now), 0);
    }

    #[test]
    fn many_tries_at_once_are_as_many_tries() {
        let (patience, now) = (Patience::default(), Timestamp::UNIX_EPOCH);
        let tried = (0..60).filter(|_| patience.begin("mia", ip("10.0.0.1"), now).is_ok()).count();
        assert_eq!(tried, 4);
    }

    #[test]
    fn a_network_that_tries_many_accounts_waits_too_and_coming_in_oneself_does_not_help() {
        let (patience, now) = (Patience::default(), Timestamp::UNIX_EPOCH);
        let mut tried = 0;
        for round in 0..100 {
            if patience.begin(&format!("u{round}"), ip("2001:db8::1"), now).is_err() {
                break;
            }
            tried += 1;
            if round % 10 == 0 && patience.begin("eve", ip("2001:db8::1"), now).is_ok() {
                patience.came_in("eve", ip("2001:db8::1"));
            }
        }
        assert_eq!(tried, 21);
        assert!(waits(&patience, "ana", "2001:db8::ffff", now) > 0);
        assert_eq!(waits(&patience, "ana", "2001:db8:0:1::1", now), 0);
    }

    #[test]
    fn nobody_is_shut_out_by_a_name_that_looks_like_an_address() {
        let (patience, now) = (Patience::default(), Timestamp::UNIX_EPOCH);
        for _ in 0..10 {
            let _ = patience.begin("@10.0.0.2", ip("10.0.0.9"), now);
        }
        assert_eq!(waits(&patience, "ann", "10.0.0.2", now), 0);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (patience, now) = (Patience::default(), Timestamp::UNIX_EPOCH);
        for n in 0..12_000_u32 {
            let from = IpAddr::from(n.to_be_bytes());
            let _ = patience.begin(&format!("u{n}"), from, now);
        }
        assert!(patience.0.lock().unwrap().len() <= REMEMBERED);
    }
}
