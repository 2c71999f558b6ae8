//! Signed heads: by whom they are, of which tree, and who outside has cosigned them.

use std::collections::BTreeMap;

use domain::ledger::Ledger;
use jiff::Timestamp;
use serde::Serialize;
use timestamp::Roots;
use tlog::{Checkpoint, CheckpointError, Hash, Note, Policy, Standing, VerifierKey};

use crate::examiner::Examined;
use crate::finding::{Findings, Kind};
use crate::names::{self, Name};

/// How far the clocks of a log, its witnesses and whoever examines it may be apart, in milliseconds.
pub const CLOCKS_MS: i64 = 300_000;

/// A head as it was handed over: read, and not believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The note, with all its lines.
    pub note: Note,
    /// What it says.
    pub says: Checkpoint,
}

impl Head {
    /// Reads a note.
    ///
    /// # Errors
    /// It is no note, or not that of a head.
    pub fn read(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let note = Note::parse(bytes)?;
        let says = Checkpoint::parse(note.text())?;
        Ok(Self { note, says })
    }

    /// Reads a note that somebody kept: a scanner or an editor may have changed how its lines end.
    ///
    /// # Errors
    /// It is no note, or not that of a head.
    pub fn kept(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
        Self::read(format!("{}\n", text.trim_end()).as_bytes())
    }

    /// Why it is not of this log, or not signed by one of these keys.
    pub(crate) fn stranger(
        &self,
        name: Option<&str>,
        keys: &[VerifierKey],
    ) -> Option<(Kind, String)> {
        let (size, origin) = (self.says.size(), self.says.origin());
        if Some(origin) != name {
            return Some((Kind::HeadOrigin, format!("the head of size {size} is of {origin:?}")));
        }
        let text = || format!("the head of size {size} is not signed by the key of the log");
        (!self.is_signed_by(keys)).then(|| (Kind::HeadSignature, text()))
    }

    /// Why it is not a head of this log over the events that have this root.
    pub(crate) fn misfit(
        &self,
        name: Option<&str>,
        keys: &[VerifierKey],
        root: Hash,
    ) -> Option<(Kind, String)> {
        let text = || format!("the head of size {} was signed over another root", self.says.size());
        let other = || (self.says.root() != root).then(|| (Kind::HeadRoot, text()));
        self.stranger(name, keys).or_else(other)
    }

    pub(crate) fn is_signed_by(&self, keys: &[VerifierKey]) -> bool {
        Checkpoint::open(self.note.to_string().as_bytes(), keys).is_ok()
    }
}

/// What somebody who examines evidence brings along, and holds for true.
#[derive(Debug, Clone)]
pub struct Trust {
    /// Whose heads they believe.
    pub policy: Option<Policy>,
    /// Heads that they kept from before, or have from elsewhere.
    pub held: Vec<Head>,
    /// The last head must have been cosigned at this instant or later.
    pub as_of: Option<Timestamp>,
    /// Whose time stamps they believe. Without any, time stamps are looked at by nobody.
    pub tsa: Option<Roots>,
    /// Their clock.
    pub now: Timestamp,
}

/// What the last head is worth.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Witnessed {
    /// Whether enough of the witnesses that the policy names have cosigned it, and it names some.
    pub quorum: bool,
    /// Who cosigned, by their names in the policy, and when.
    pub by: BTreeMap<String, Timestamp>,
}

/// Compares heads with a log and with what somebody brings along. The last of `bundle` is the one over all of the log.
pub(crate) fn check(bundle: &[Head], log: &Examined, trust: &Trust) -> (Findings, Witnessed) {
    let mut checking =
        Checking { log, trust, keys: keys(log, trust), findings: Findings::default() };
    checking.check_key();
    checking.check_names();
    for head in bundle {
        checking.check_own(head);
    }
    checking.check_twice(bundle);
    for head in &trust.held {
        checking.check_held(head);
    }
    let mut findings = checking.findings;
    let received = log.ledger.received.unwrap_or(Timestamp::UNIX_EPOCH);
    let witnessed = bundle.last().map(|last| quorum(last, trust, received, &mut findings));
    (findings, witnessed.unwrap_or_default())
}

/// What a head is worth to whoever examines it, under which the newest event was received then.
pub(crate) fn quorum(
    last: &Head,
    trust: &Trust,
    received: Timestamp,
    findings: &mut Findings,
) -> Witnessed {
    let Some(policy) = &trust.policy else { return Witnessed::default() };
    let ahead = trust.now.as_millisecond() + CLOCKS_MS;
    let now = u64::try_from(ahead / 1_000).unwrap_or_default();
    let standing = policy.standing(&last.note, now);
    check_lines(policy, last, &standing, findings);
    if !policy.needs_witnesses() {
        let text = "the policy asks for no witness: whoever holds the keys of the log and of its producers could have rewritten all of it";
        findings.add(Kind::NoQuorum, text);
    } else if !standing.quorum {
        let by = standing.cosigned.keys().cloned().collect::<Vec<_>>().join(", ");
        let by = if by.is_empty() { "nobody".to_owned() } else { by };
        let text =
            format!("the last head was cosigned by {by}, which is not the quorum of the policy");
        findings.add(Kind::NoQuorum, text);
    }
    let instant = |(name, at): (&String, &u64)| {
        let at = i64::try_from(*at).ok().and_then(|at| Timestamp::from_second(at).ok())?;
        Some((name.clone(), at))
    };
    let by: BTreeMap<String, Timestamp> = standing.cosigned.iter().filter_map(instant).collect();
    check_times(&by, trust.as_of, received, findings);
    Witnessed { quorum: policy.needs_witnesses() && standing.quorum, by }
}

/// A line of a witness either holds, or is of the future, or is not by that witness.
fn check_lines(policy: &Policy, last: &Head, standing: &Standing, findings: &mut Findings) {
    let whenever = policy.standing(&last.note, u64::MAX);
    for name in &standing.bad {
        if whenever.bad.contains(name) {
            let text =
                format!("a line of the last head says that it is by witness {name}, and is not");
            findings.add(Kind::Cosignature, text);
        } else {
            let text = format!(
                "witness {name} cosigned at a time that lies ahead: its clock, or yours, is wrong"
            );
            findings.add(Kind::CosignatureTime, text);
        }
    }
}

fn check_times(
    by: &BTreeMap<String, Timestamp>,
    as_of: Option<Timestamp>,
    received: Timestamp,
    findings: &mut Findings,
) {
    for (name, at) in by {
        if received.as_millisecond() > at.as_millisecond() + CLOCKS_MS {
            let text = format!(
                "witness {name} cosigned at {at} a head over an event that the log received at {received}"
            );
            findings.add(Kind::CosignatureEarly, text);
        }
    }
    let (Some(newest), Some(as_of)) = (by.values().max(), as_of) else { return };
    if *newest < as_of {
        let text = format!("the last head was cosigned at {newest}, which is before {as_of}");
        findings.add(Kind::Stale, text);
    }
}

/// The keys by which heads may be signed: what a policy names; where none names any, what the log says of itself. Whoever
/// believes one name of a log reads what it says of its others.
pub(crate) fn keys(log: &Examined, trust: &Trust) -> Vec<VerifierKey> {
    let own = || log.names.iter().filter_map(Name::verifier);
    let named = named(trust);
    let one_of_them = own().any(|own| named.contains(&own));
    if named.is_empty() || one_of_them { named.into_iter().chain(own()).collect() } else { named }
}

/// The key that a log says its heads are signed by.
pub(crate) fn own_key(log: &Ledger) -> Option<VerifierKey> {
    log.head_key.as_ref()?.parse().ok()
}

/// The keys by which somebody says that they know the log.
pub(crate) fn named(trust: &Trust) -> Vec<VerifierKey> {
    let places = trust.policy.iter().flat_map(|policy| policy.logs());
    places.map(|place| place.key.clone()).collect()
}

struct Checking<'a> {
    log: &'a Examined,
    trust: &'a Trust,
    keys: Vec<VerifierKey>,
    findings: Findings,
}

impl Checking<'_> {
    fn check_key(&mut self) {
        let own = self.log.ledger.head_key.as_deref().unwrap_or("none");
        let named: Vec<String> = named(self.trust).iter().map(ToString::to_string).collect();
        if named.is_empty() {
            let text = format!(
                "no policy says that the log's key {own} is believed: bring one that came to you by another way than the evidence"
            );
            return self.findings.add(Kind::NoPolicy, text);
        }
        if named.iter().any(|key| key == own) {
            return;
        }
        if let Some((kind, text)) = names::goes_on(&self.log.names, &named) {
            return self.findings.add(kind, text);
        }
        let text = format!(
            "the log says that its heads are signed by {own}, and the policy does not name that key"
        );
        self.findings.add(Kind::LogKey, text);
    }

    /// What a log that goes on says of what it was before.
    fn check_names(&mut self) {
        let names = &self.log.names;
        for (old, new) in names.iter().zip(names.iter().skip(1)) {
            let fits = |head: &Checkpoint| self.log.roots.get(&head.size()) == Some(&head.root());
            if let Some((kind, text)) = new.misfit(old, fits) {
                self.findings.at(new.from, kind, text);
            }
        }
    }

    /// The name that the log had when a head of this size was signed.
    fn name_at(&self, size: u64) -> Option<&str> {
        let names = self.log.names.iter();
        let known = names.take_while(|name| name.continued.is_none() || name.from <= size).last();
        known.map(|name| name.origin.as_str())
    }

    fn check_own(&mut self, head: &Head) {
        let size = head.says.size();
        let name = self.name_at(size).map(str::to_owned);
        let name = name.as_deref();
        let Some(root) = self.log.roots.get(&size) else {
            if let Some((kind, text)) = head.stranger(name, &self.keys) {
                return self.findings.add(kind, text);
            }
            let ends = self.log.tree.size();
            let text = format!("a head of size {size} was signed, and the log ends at {ends}");
            return self.findings.add(Kind::HeadBeyond, text);
        };
        if let Some((kind, text)) = head.misfit(name, &self.keys, *root) {
            self.findings.add(kind, text);
        }
    }

    fn check_twice(&mut self, bundle: &[Head]) {
        let mut roots = BTreeMap::new();
        let signed =
            bundle.iter().chain(&self.trust.held).filter(|head| head.is_signed_by(&self.keys));
        for head in signed {
            let (size, root) = (head.says.size(), head.says.root());
            if *roots.entry((head.says.origin(), size)).or_insert(root) != root {
                let text = format!("two heads of size {size} were signed, over different roots");
                self.findings.add(Kind::Equivocation, text);
            }
        }
    }

    fn check_held(&mut self, head: &Head) {
        let (size, origin) = (head.says.size(), head.says.origin());
        let known = self.log.names.iter().any(|name| name.origin == origin);
        if let Some(next) =
            names::lost(&self.log.names, head).filter(|_| head.is_signed_by(&self.keys))
        {
            let text = format!(
                "you hold a head of {origin:?} of size {size}, and the log goes on as {} since position {}: what the head is over behind that is lost",
                next.origin, next.from
            );
            return self.findings.add(Kind::HeldLost, text);
        }
        if !known || !head.is_signed_by(&self.keys) {
            let text = format!(
                "the head of {origin:?} that you hold, of size {size}, is of another log or signed by another key"
            );
            return self.findings.add(Kind::HeldOther, text);
        }
        match self.log.roots.get(&size) {
            None => {
                let text = format!(
                    "you hold a head of size {size}, and this evidence ends at {}: ask for evidence that reaches it",
                    self.log.tree.size()
                );
                self.findings.add(Kind::HeldTruncation, text);
            }
            Some(root) if *root != head.says.root() => {
                let text = format!(
                    "you hold a head of size {size} with another root: the log was changed after it was signed"
                );
                self.findings.add(Kind::HeldFork, text);
            }
            Some(_) => {}
        }
    }
}
