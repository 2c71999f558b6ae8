//! Whose heads somebody believes: logs, witnesses, and how many of these must have cosigned (C2SP tlog-policy).

use std::collections::BTreeMap;

use thiserror::Error;

use crate::cosignature::{Cosigned, WitnessKey};
use crate::key::{KeyError, VerifierKey};
use crate::note::Note;

/// The most lines of logs, of witnesses and of groups each.
const MOST: usize = 64;
/// The longest policy, in bytes.
pub const MAX_POLICY_BYTES: usize = 256 * 1024;
/// The name of the quorum that nobody has to be in.
const NONE: &str = "none";

/// A trust policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<Place<VerifierKey>>,
    members: BTreeMap<String, Member>,
    quorum: Option<String>,
}

/// A key, and where whoever has it is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place<K> {
    /// The key.
    pub key: K,
    /// The address, where the policy gives one.
    pub url: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Member {
    Witness(Box<Place<WitnessKey>>),
    Group { least: usize, of: Vec<String> },
}

/// Why a text is no policy.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PolicyError {
    /// Longer than [`MAX_POLICY_BYTES`].
    #[error("reading a policy: {0} bytes are more than {MAX_POLICY_BYTES}")]
    TooLarge(usize),
    /// A line has a control character.
    #[error("reading a policy, line {line}: it has a control character")]
    Control {
        /// Which line, from 1.
        line: usize,
    },
    /// A line is not what its first word says it is.
    #[error("reading a policy, line {line}: {what}")]
    Line {
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// A key is none.
    #[error("reading a policy, line {line}: {error}")]
    Key {
        /// Which line, from 1.
        line: usize,
        /// Why.
        error: KeyError,
    },
    /// There is no line `quorum`.
    #[error(
        "reading a policy: no line says which quorum is needed (`quorum NAME`, or `quorum none`)"
    )]
    NoQuorum,
}

/// How a head fares by a policy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    /// The witnesses that cosigned, by their names in the policy, and when, in seconds since 1970.
    pub cosigned: BTreeMap<String, u64>,
    /// Those of whom a line stands there that is not by them.
    pub bad: Vec<String>,
    /// Whether those that cosigned are enough.
    pub quorum: bool,
}

impl Policy {
    /// Reads a policy. Strict: a line that is not understood makes it none.
    ///
    /// # Errors
    /// [`PolicyError`] naming the line.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        if text.len() > MAX_POLICY_BYTES {
            return Err(PolicyError::TooLarge(text.len()));
        }
        let mut reading = Reading::default();
        for (line, number) in text.lines().zip(1..) {
            if line.contains(|c: char| (c < ' ' && c != '\t') || c == '\u{7f}') {
                return Err(PolicyError::Control { line: number });
            }
            reading.take(line, number)?;
        }
        let quorum = reading.quorum.ok_or(PolicyError::NoQuorum)?;
        Ok(Self { logs: reading.logs, members: reading.members, quorum })
    }

    /// The logs that are believed.
    #[must_use]
    pub fn logs(&self) -> &[Place<VerifierKey>] {
        &self.logs
    }

    /// The witnesses, by their names in the policy.
    pub fn witnesses(&self) -> impl Iterator<Item = (&str, &Place<WitnessKey>)> {
        self.members.iter().filter_map(|(name, member)| match member {
            Member::Witness(place) => Some((name.as_str(), &**place)),
            Member::Group { .. } => None,
        })
    }

    /// Whether anybody has to have cosigned.
    #[must_use]
    pub fn needs_witnesses(&self) -> bool {
        self.quorum.is_some()
    }

    /// Who cosigned a head, as of an instant in seconds since 1970: a cosignature that is `later` than that does not count.
    #[must_use]
    pub fn standing(&self, note: &Note, later: u64) -> Standing {
        let mut found = Standing::default();
        for (name, place) in self.witnesses() {
            match place.key.cosigned(note) {
                Cosigned::At(at) if at <= later => {
                    found.cosigned.insert(name.to_owned(), at);
                }
                Cosigned::At(_) | Cosigned::Bad => found.bad.push(name.to_owned()),
                Cosigned::Not => {}
            }
        }
        let holds = |quorum: &String| self.holds(quorum, &found.cosigned);
        found.quorum = self.quorum.as_ref().is_none_or(holds);
        found
    }

    /// Groups name only what stands above them, so that this ends.
    fn holds(&self, name: &str, cosigned: &BTreeMap<String, u64>) -> bool {
        match self.members.get(name) {
            Some(Member::Witness(_)) => cosigned.contains_key(name),
            Some(Member::Group { least, of }) => {
                of.iter().filter(|member| self.holds(member, cosigned)).count() >= *least
            }
            None => false,
        }
    }
}

#[derive(Default)]
struct Reading {
    logs: Vec<Place<VerifierKey>>,
    members: BTreeMap<String, Member>,
    grouped: Vec<String>,
    quorum: Option<Option<String>>,
}

impl Reading {
    fn take(&mut self, line: &str, number: usize) -> Result<(), PolicyError> {
        let wrong = |what: String| PolicyError::Line { line: number, what };
        let words: Vec<&str> = line.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
        match words.as_slice() {
            [] => Ok(()),
            [first, ..] if first.starts_with('#') => Ok(()),
            ["log", key, url @ ..] => self.log(key, url, number),
            ["witness", name, key, url @ ..] => self.witness(name, key, url, number),
            ["group", name, least, of @ ..] => self.group(name, least, of).map_err(wrong),
            ["quorum", name] => self.set_quorum(name).map_err(wrong),
            [first, ..] => Err(wrong(format!(
                "{first:?} begins no line of a policy, or words are missing or left over: log KEY [URL], witness NAME KEY [URL], group NAME all|any|NUMBER NAME…, quorum NAME|none"
            ))),
        }
    }

    fn log(&mut self, key: &str, url: &[&str], line: usize) -> Result<(), PolicyError> {
        let key: VerifierKey = key.parse().map_err(|error| PolicyError::Key { line, error })?;
        let wrong = |what: String| PolicyError::Line { line, what };
        let url = address(url).map_err(wrong)?;
        if self.logs.iter().any(|known| known.key.public_key() == key.public_key()) {
            return Err(wrong("the key of this log stands above".to_owned()));
        }
        if self.logs.len() == MOST {
            return Err(wrong(format!("more than {MOST} logs")));
        }
        self.logs.push(Place { key, url });
        Ok(())
    }

    fn witness(
        &mut self,
        name: &str,
        key: &str,
        url: &[&str],
        line: usize,
    ) -> Result<(), PolicyError> {
        let key: WitnessKey = key.parse().map_err(|error| PolicyError::Key { line, error })?;
        let wrong = |what: String| PolicyError::Line { line, what };
        let url = address(url).map_err(wrong)?;
        let same = |member: &Member| match member {
            Member::Witness(place) => place.key.public_key() == key.public_key(),
            Member::Group { .. } => false,
        };
        if self.members.values().any(same) {
            return Err(wrong("the key of this witness stands above".to_owned()));
        }
        self.define(name, Member::Witness(Box::new(Place { key, url }))).map_err(wrong)
    }

    fn group(&mut self, name: &str, least: &str, of: &[&str]) -> Result<(), String> {
        let all = of.len();
        let least = match least {
            "all" => all,
            "any" => 1,
            number => {
                let read = number.parse::<usize>().ok().filter(|n| n.to_string() == number);
                read.ok_or_else(|| format!("{number:?} is not all, any or a number"))?
            }
        };
        if !(1..=all).contains(&least) {
            return Err(format!("{least} of {all} members cannot be"));
        }
        for member in of {
            if !self.members.contains_key(*member) {
                return Err(format!("{member:?} is defined by no line above"));
            }
            if self.grouped.iter().any(|known| known == member) {
                return Err(format!("{member:?} is in a group already"));
            }
            self.grouped.push((*member).to_owned());
        }
        let of = of.iter().map(|member| (*member).to_owned()).collect();
        self.define(name, Member::Group { least, of })
    }

    fn define(&mut self, name: &str, member: Member) -> Result<(), String> {
        if name == NONE || self.members.contains_key(name) {
            return Err(format!("the name {name:?} is taken"));
        }
        if self.members.len() == 2 * MOST {
            return Err(format!("more than {} witnesses and groups", 2 * MOST));
        }
        self.members.insert(name.to_owned(), member);
        Ok(())
    }

    fn set_quorum(&mut self, name: &str) -> Result<(), String> {
        if self.quorum.is_some() {
            return Err("a quorum stands above".to_owned());
        }
        if name != NONE && !self.members.contains_key(name) {
            return Err(format!("{name:?} is defined by no line above"));
        }
        self.quorum = Some((name != NONE).then(|| name.to_owned()));
        Ok(())
    }
}

fn address(words: &[&str]) -> Result<Option<String>, String> {
    match words {
        [] => Ok(None),
        [url] => Ok(Some((*url).to_owned())),
        [_, more, ..] => Err(format!("{more:?} follows the address")),
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;
    use crate::checkpoint::Checkpoint;
    use crate::cosignature::CosignerKey;
    use crate::hash::Hash;
    use crate::key::SignerKey;

    type TestResult = Result<(), Box<dyn Error>>;

    fn witness(number: u8) -> Result<CosignerKey, KeyError> {
        CosignerKey::from_seed(&format!("w{number}.example"), &[number; 32])
    }

    fn key(number: u8) -> String {
        witness(number).map(|one| one.witness_key().to_string()).unwrap_or_default()
    }

    /// The example of the specification, with its two levels of groups.
    fn two_levels() -> String {
        let mut text = String::from("# who is believed\n\n");
        for number in 1..=6 {
            let name = if number <= 3 { format!("X{number}") } else { format!("Y{number}") };
            text.push_str(&format!("witness {name} {} https://w{number}.example/\n", key(number)));
        }
        text + "group X-witnesses 2 X1 X2 X3\n\tgroup Y-witnesses any Y4 Y5 Y6\n\
                group X-and-Y all  X-witnesses Y-witnesses \nquorum X-and-Y\n"
    }

    fn note(cosigners: &[u8]) -> Result<Note, Box<dyn Error>> {
        let log = SignerKey::from_seed("log.example", &[99; 32])?;
        let head = Checkpoint::new("log.example", 4, Hash([4; 32]))?;
        let mut note = Note::parse(head.sign(&log)?.as_bytes())?;
        for number in cosigners {
            note = note.with(witness(*number)?.cosign(&head, 100 + u64::from(*number)))?;
        }
        Ok(note)
    }

    #[test]
    fn a_quorum_is_reached_by_enough_members_of_each_group() -> TestResult {
        let policy = Policy::parse(&two_levels())?;
        assert_eq!(policy.witnesses().count(), 6);
        for (cosigners, quorum) in [
            (&[][..], false),
            (&[1, 2], false),
            (&[1, 4], false),
            (&[1, 2, 4], true),
            (&[4, 5, 6, 3], false),
            (&[1, 2, 3, 4, 5, 6], true),
        ] {
            let standing = policy.standing(&note(cosigners)?, 1_000);
            assert_eq!(standing.quorum, quorum, "{cosigners:?}");
            assert_eq!(standing.cosigned.len(), cosigners.len());
        }
        let early = policy.standing(&note(&[1, 2, 4])?, 103);
        assert_eq!((early.quorum, early.bad), (false, vec!["Y4".to_owned()]), "later than now");
        Ok(())
    }

    #[test]
    fn nobody_is_needed_where_the_policy_says_so() -> TestResult {
        let policy = Policy::parse("quorum none\n")?;
        assert!(!policy.needs_witnesses());
        assert!(policy.standing(&note(&[])?, 0).quorum);
        Ok(())
    }

    #[test]
    fn what_is_no_policy_is_refused_with_its_line() {
        let (one, two) = (key(1), key(2));
        let log = SignerKey::from_seed("log.example", &[9; 32])
            .map(|log| log.verifier_key().to_string())
            .unwrap_or_default();
        for (text, says) in [
            (String::new(), "no line says which quorum"),
            ("quorum a\n".to_owned(), "line 1: \"a\" is defined by no line above"),
            (format!("quorum a\nwitness a {one}\n"), "line 1"),
            (format!("witness a {one}\nwitness b {one}\nquorum a\n"), "line 2: the key"),
            (format!("witness a {one}\nwitness a {two}\nquorum a\n"), "line 2: the name"),
            (format!("witness none {one}\nquorum none\n"), "line 1: the name"),
            (format!("witness a {log}\nquorum a\n"), "line 1: reading verifier key"),
            (format!("log {one}\nquorum none\n"), "line 1: reading verifier key"),
            (format!("log {log}\nlog {log}\nquorum none\n"), "line 2: the key"),
            (format!("witness a {one} u v\nquorum a\n"), "line 1: \"v\" follows"),
            (format!("witness a {one}\ngroup g 2 a\nquorum g\n"), "line 2: 2 of 1"),
            (format!("witness a {one}\ngroup g 01 a\nquorum g\n"), "line 2: \"01\""),
            (format!("witness a {one}\ngroup g 0 a\nquorum g\n"), "line 2: 0 of 1"),
            (format!("witness a {one}\ngroup g all\nquorum g\n"), "line 2: 0 of 0"),
            (format!("witness a {one}\ngroup g any a a\nquorum g\n"), "line 2: \"a\" is in"),
            (format!("witness a {one}\ngroup g any a\ngroup h any a\nquorum h\n"), "line 3"),
            (format!("witness a {one}\nquorum a\nquorum a\n"), "line 3: a quorum"),
            ("trust everybody\nquorum none\n".to_owned(), "line 1: \"trust\" begins no line"),
            ("quorum none\u{b}\n".to_owned(), "line 1: it has a control character"),
        ] {
            let error =
                Policy::parse(&text).map(|_| String::new()).unwrap_or_else(|e| e.to_string());
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
