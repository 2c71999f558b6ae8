//! A log that was brought back from an older copy and goes on under another name: nothing honest is accused, and nobody can lose
//! by it what they do not want to be seen.

use std::sync::OnceLock;

use domain::controls::Outcome;
use evidence::{Head, Report, Request, Trust, Verdict, Writer};
use serde_json::{Value, json};
use testkit::world::{World, job};
use tlog::{CosignerKey, Policy, SignerKey};

use super::forgery::Forged;
use super::parts::{self, part_of};
use super::peer;
use super::site::{
    Files, Signers, Site, careful, event, head, log_key, names, policy_text, verify, witness,
};

/// The log as it is, and what it was before.
struct Restored {
    site: Site,
    key: SignerKey,
    before: Vec<Vec<u8>>,
    /// The index of the event that says so.
    at: usize,
}

fn restored() -> &'static Restored {
    static RESTORED: OnceLock<Restored> = OnceLock::new();
    RESTORED.get_or_init(|| {
        let mut world = World::new(3, "2020-03-02T02:00:03Z".parse().unwrap()).unwrap();
        world.takes = Some(1_500);
        world.run_for(500).unwrap();
        world.propose(&job("pay", &json!({"schedule": {"every": "20s"}})).unwrap()).unwrap();
        world.run_for(500).unwrap();
        world.approve("pay").unwrap();
        world.run_for(150_000).unwrap();
        let before: Vec<Vec<u8>> = world.leaves().map(<[u8]>::to_vec).collect();
        let at = before.len() - 20;
        world.restore(at as u64).unwrap();
        world.run_for(120_000).unwrap();
        world.settle().unwrap();
        let key = World::log_key_named(&world.origin()).unwrap();
        Restored { site: Site::of(&world), key, before, at }
    })
}

impl Restored {
    /// What is handed over: an old head over what was kept, one of the new name, and the last.
    fn bundle(&self, leaves: &[Vec<u8>], earlier: &[Head]) -> Files {
        let mut last = head(leaves, &self.key);
        let by: CosignerKey = witness();
        last.note = last.note.clone().with(by.cosign(&last.says, self.site.ends)).unwrap();
        let (from, until) = ("2020-03-02T02:00:03Z", "2020-03-03T00:00:00Z");
        let request = Request::new(
            from.parse().unwrap(),
            until.parse().unwrap(),
            domain::controls::ControlSettings::default(),
        );
        let mut writer = Writer::new(Vec::new(), request, last, earlier).unwrap();
        for leaf in leaves {
            writer.entry(leaf.clone()).unwrap();
        }
        Files::unpack(&writer.finish().unwrap().0)
    }

    fn honest(&self) -> Files {
        let leaves = &self.site.leaves;
        let heads =
            [head(&leaves[..self.at - 1], &log_key()), head(&leaves[..self.at + 5], &self.key)];
        self.bundle(leaves, &heads)
    }

    /// The log whose recorder says something else of it, with its stolen key.
    fn forged(&self, change: impl FnOnce(&mut Value)) -> Files {
        let log = Forged::of(&self.site.leaves).say(self.at, change);
        let source = log.source(self.at);
        let key = log.key_of(&source, &self.site.keys).clone();
        self.bundle(&log.chain(&source, &key).leaves, &[])
    }

    fn policy(&self) -> String {
        let old = log_key().verifier_key().to_string();
        policy_text(true).replace(&old, &self.key.verifier_key().to_string())
    }
}

/// What both say, which must be the same word for the same reasons.
fn say(files: &Files, policy: &str, held: &[Head]) -> Report {
    let trust = Trust { policy: Some(Policy::parse(policy).unwrap()), ..careful(held) };
    let report = verify(&files.tar(), &trust);
    let said = peer::verify(&files.tar(), Some(policy), held, None);
    // It expands no schedules.
    let mut ours: Vec<&str> = names(&report);
    ours.retain(|name| !name.starts_with("OCCURRENCE"));
    let theirs: Vec<&str> = said.names.iter().map(String::as_str).collect();
    assert_eq!((said.verdict, theirs), (report.verdict, ours), "{:?}", report.findings);
    report
}

#[test]
fn a_log_that_was_brought_back_is_verified_and_says_what_it_lost() {
    let log = restored();
    let kept = head(&log.before[..log.at], &log_key());
    let report = say(&log.honest(), &log.policy(), std::slice::from_ref(&kept));
    assert_eq!((names(&report), report.verdict), (vec![], Verdict::Verified));
    let whole: &Outcome = report.outcomes.iter().find(|one| one.control == "LG-01").unwrap();
    let lost: Vec<&str> = whole.exceptions().filter_map(|item| item.exception.as_deref()).collect();
    assert!(lost[0].ends_with("20 events are known to be lost"), "{lost:?}");
    assert!(lost[1..].iter().any(|text| text.contains("of it are lost")), "{lost:?}");
    let ran: Vec<Value> = log.site.leaves.iter().map(|leaf| event(leaf)).collect();
    let missed = ran.iter().filter(|event| event["data"]["reason"]["rule"] == "log-lost");
    assert!(missed.count() > 0);
}

#[test]
fn whoever_knows_the_log_by_its_old_name_is_told_that_it_has_another() {
    let log = restored();
    let report = say(&log.honest(), &policy_text(true), &[]);
    assert_eq!((names(&report), report.verdict), (vec!["LOG_CONTINUED"], Verdict::Inconclusive));
    assert!(report.findings[0].text.contains("handed over by the key before"));
}

#[test]
fn a_part_of_it_says_the_same_to_whoever_knows_the_old_name_and_nothing_to_whoever_knows_neither() {
    let log = restored();
    let by = || Some((witness(), log.site.ends));
    let signers = Signers { log: World::log_key_named(log.key.name()).unwrap(), witness: by() };
    let part = part_of(&log.site, &signers);
    let told = |policy: &str| parts::say(&part, Some(policy), &[]);
    assert_eq!(told(&log.policy()), (vec!["PARTIAL"], Verdict::Inconclusive));
    let old = (vec!["LOG_CONTINUED", "PARTIAL"], Verdict::Inconclusive);
    assert_eq!(told(&policy_text(true)), old);
    let (known, stranger) =
        (log_key().verifier_key(), SignerKey::from_seed("log.example/x", &[9; 32]).unwrap());
    let other = policy_text(true).replace(&known.to_string(), &stranger.verifier_key().to_string());
    assert_eq!(told(&other), (vec!["HEAD_SIGNATURE", "PARTIAL"], Verdict::Tampered));
    let thief = SignerKey::from_seed(log.key.name(), &[9; 32]).unwrap();
    let stolen = part_of(&log.site, &Signers { log: thief, witness: by() });
    let (names, verdict) = parts::say(&stolen, Some(&policy_text(true)), &[]);
    assert!(names.contains(&"HEAD_SIGNATURE") && verdict == Verdict::Tampered, "{names:?}");
}

#[test]
fn a_head_over_what_was_lost_is_not_taken_for_one_of_the_log() {
    let log = restored();
    let lost = head(&log.before, &log_key());
    let report = say(&log.honest(), &log.policy(), &[lost]);
    assert_eq!((names(&report), report.verdict), (vec!["HELD_LOST"], Verdict::Inconclusive));
    // Of what was kept, another root is a fork.
    let mut other = log.before[..log.at - 3].to_vec();
    other.swap(5, 6);
    let report = say(&log.honest(), &log.policy(), &[head(&other, &log_key())]);
    assert_eq!((names(&report), report.verdict), (vec!["HELD_FORK"], Verdict::Tampered));
}

#[test]
fn what_a_log_says_of_its_name_before_is_looked_at() {
    let log = restored();
    let thief = SignerKey::from_seed(log_key().name(), &[9; 32]).unwrap();
    let by = |key: &SignerKey, leaves: &[Vec<u8>]| head(leaves, key).note.to_string();
    let mut other = log.before[..log.at].to_vec();
    other.swap(5, 6);
    let cases: [(&str, Files, &str); 5] = [
        (
            "the head before is by another key",
            log.forged(|event| event["data"]["before"] = by(&thief, &log.before).into()),
            "CONTINUED_OTHER",
        ),
        (
            "the head before is over other events than it continues",
            log.forged(|event| event["data"]["before"] = by(&log_key(), &other).into()),
            "CONTINUED_OTHER",
        ),
        (
            "it was longer than it says",
            log.forged(|event| event["data"]["reached"] = (log.at + 3).into()),
            "CONTINUED_OTHER",
        ),
        (
            "it was not handed over by the key before",
            log.forged(|event| event["data"]["handover"] = by(&log_key(), &log.before).into()),
            "CONTINUED_OTHER",
        ),
        (
            "a head of the old name is over events of the new one",
            log.bundle(&log.site.leaves, &[head(&log.site.leaves[..log.at + 4], &log_key())]),
            "HEAD_ORIGIN",
        ),
    ];
    for (what, files, found) in cases {
        let report = say(&files, &log.policy(), &[]);
        assert_eq!(report.verdict, Verdict::Tampered, "{what}");
        assert!(names(&report).contains(&found), "{what}: {:?}", report.findings);
    }
}

#[test]
fn a_producer_leaves_events_out_once_and_only_where_the_log_was_brought_back() {
    let log = restored();
    let whole = log.forged(|event| {
        event["data"]["restored"] = false.into();
        event["data"]["reached"] = log.at.into();
    });
    assert!(names(&say(&whole, &log.policy(), &[])).contains(&"PRODUCER_GAP"));
    // Something that a producer said after it had resumed is taken out, and it says more behind it.
    let forged = Forged::of(&log.site.leaves);
    let sources: Vec<String> =
        (log.at + 1..log.site.leaves.len()).map(|at| forged.source(at)).collect();
    let between = |at: &usize| {
        let own = |other: &String| *other == sources[*at];
        sources[..*at].iter().any(own) && sources[*at + 1..].iter().any(own)
    };
    let own = (0..sources.len()).find(between).map(|at| log.at + 1 + at);
    let removed = Forged::of(&log.site.leaves).remove(own.unwrap());
    let report = say(&log.bundle(&removed.leaves, &[]), &log.policy(), &[]);
    assert!(names(&report).contains(&"PRODUCER_GAP"), "{:?}", report.findings);
}
