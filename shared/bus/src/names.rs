//! Names of services, topics and pools, and how they become NATS subjects.

use crate::BusError;

/// Something that answers requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// The recorder: appends events to the log.
    Append,
    /// The recorder's read side: answers queries.
    Query,
    /// One host's own service. The name is 1 to 253 of `[A-Za-z0-9._-]`, not beginning with a dot.
    Host(String),
}

/// Something that is told to everybody who listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// Newly committed events: where the log stands.
    Feed,
    /// Signs of life from the hosts.
    Heartbeats,
    /// The live output of one run. The token is 1 to 128 of `[A-Za-z0-9_-]`.
    Output(String),
}

const HOST_RULE: &str = "1 to 253 of A-Z a-z 0-9 . _ - and not begin with a dot";
const TOKEN_RULE: &str = "1 to 128 of A-Z a-z 0-9 _ -";
const POOL_RULE: &str = "1 to 63 of a-z 0-9 . _ - and begin with a letter or digit";
const PREFIX_RULE: &str = "1 to 32 of a-z 0-9 _ and begin with a letter";
const ID_RULE: &str = "1 to 256 bytes without blanks or control characters";

/// The subjects of one installation.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    prefix: String,
}

impl Names {
    pub(crate) fn new(prefix: &str) -> Result<Names, BusError> {
        let fits = prefix.starts_with(|c: char| c.is_ascii_lowercase())
            && within(prefix, 32, |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        check("the prefix", prefix, fits, PREFIX_RULE)?;
        Ok(Names { prefix: prefix.to_owned() })
    }

    pub(crate) fn service(&self, service: &Service) -> Result<String, BusError> {
        let prefix = &self.prefix;
        Ok(match service {
            Service::Append => format!("{prefix}.append"),
            Service::Query => format!("{prefix}.query"),
            Service::Host(name) => format!("{prefix}.host.{}", one_token(host(name)?)),
        })
    }

    pub(crate) fn topic(&self, topic: &Topic) -> Result<String, BusError> {
        let prefix = &self.prefix;
        Ok(match topic {
            Topic::Feed => format!("{prefix}.feed"),
            Topic::Heartbeats => format!("{prefix}.heartbeats"),
            Topic::Output(of) => format!("{prefix}.output.{}", token(of)?),
        })
    }

    /// A subject nobody ever listens to.
    pub(crate) fn nobody(&self) -> String {
        format!("{}.nobody", self.prefix)
    }

    pub(crate) fn work_subject(&self, pool: &str) -> Result<String, BusError> {
        Ok(format!("{}.work.{}", self.prefix, one_token(check_pool(pool)?)))
    }

    /// The prefix holds no hyphen, so two installations' stream names never meet.
    pub(crate) fn work_stream(&self, pool: &str) -> Result<String, BusError> {
        Ok(format!("{}-work-{}", self.prefix, one_token(check_pool(pool)?)))
    }
}

pub(crate) fn check_pool(pool: &str) -> Result<&str, BusError> {
    let fits = pool.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && within(pool, 63, |c| {
            c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-')
        });
    check("pool", pool, fits, POOL_RULE)
}

pub(crate) fn check_id(id: &str) -> Result<&str, BusError> {
    let fits = within(id, crate::limits::MAX_ID_BYTES, |c| !c.is_whitespace() && !c.is_control());
    check("work id", id, fits, ID_RULE)
}

fn host(name: &str) -> Result<&str, BusError> {
    let fits = !name.starts_with('.')
        && within(name, 253, |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    check("host", name, fits, HOST_RULE)
}

fn token(token: &str) -> Result<&str, BusError> {
    let fits = within(token, 128, |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    check("output token", token, fits, TOKEN_RULE)
}

/// A dot would divide a subject and is refused in a stream's name. `=` stands for it: no name here may
/// hold one, so no two names become the same.
fn one_token(name: &str) -> String {
    name.replace('.', "=")
}

fn within(name: &str, longest: usize, allowed: impl Fn(char) -> bool) -> bool {
    !name.is_empty() && name.len() <= longest && name.chars().all(allowed)
}

fn check<'n>(
    what: &'static str,
    name: &'n str,
    fits: bool,
    rule: &'static str,
) -> Result<&'n str, BusError> {
    if fits {
        return Ok(name);
    }
    // A name nobody limited is not repeated in full.
    let shown = name.chars().take(300).collect();
    Err(BusError::BadName { what, name: shown, rule })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_pools_never_share_a_stream() {
        let names = Names::new("decklog").unwrap();
        let pools = ["a.b", "a-b", "a_b", "ab", "a..b", "a.b."];
        let mut streams: Vec<_> = pools.iter().map(|p| names.work_stream(p).unwrap()).collect();
        streams.sort();
        streams.dedup();
        assert_eq!(streams.len(), pools.len());
        assert!(streams.iter().all(|stream| !stream.contains('.')));
    }

    #[test]
    fn names_that_could_reach_other_subjects_are_refused() {
        let names = Names::new("decklog").unwrap();
        for bad in ["", "*", ">", "a b", "a*", "x\ny", "ä", ".", &"x".repeat(300)] {
            assert!(names.work_subject(bad).is_err(), "pool {bad:?}");
            assert!(names.topic(&Topic::Output(bad.to_owned())).is_err(), "token {bad:?}");
            assert!(names.service(&Service::Host(bad.to_owned())).is_err(), "host {bad:?}");
        }
        assert!(Names::new("deck-log").is_err() && Names::new("").is_err());
        assert!(check_id("payroll@2026-11-20T02:30-05:00#1").is_ok() && check_id("a b").is_err());
    }
}
