//! Changes: what is said of a definition that was proposed, and what becomes of it.

use domain::event::{
    ChangeCommented, ChangeExpedited, ChangeRatified, ChangeRejected, ChangeWithdrawn, Event,
    JobApproved, JobProposed, LogAccountsRequired, UserProvisioned,
};
use domain::ids::StreamId;
use domain::job::{ChangeOutcome, ChangeRequest};
use domain::ledger::{Mark, Streams as _};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::given::{World, at, definition, later};
use crate::site::refused;

/// A job `pay` that anybody may propose and approve who is another.
struct Desk {
    world: World,
    now: Timestamp,
}

fn job() -> StreamId {
    StreamId::job("pay")
}

impl Desk {
    fn new() -> Self {
        let now = at("08:00");
        Self { world: World::new(now), now }
    }

    fn says(&mut self, who: &str, event: impl Into<Event>) -> Mark {
        self.now = later(self.now, 1_000);
        self.world.say_by(&format!("user/{who}"), job(), event, self.now)
    }

    #[track_caller]
    fn valid(&mut self, who: &str, event: impl Into<Event>) {
        assert_eq!(self.says(who, event), Mark::Valid);
    }

    #[track_caller]
    fn refuses(&mut self, who: &str, event: impl Into<Event>, why: &str) {
        assert_eq!(refused(&self.says(who, event)), why);
    }

    fn proposed(&self, number: u32, fields: Value) -> JobProposed {
        let definition = definition(fields);
        let digest = definition.digest().unwrap();
        let definition = serde_json::to_value(definition).unwrap();
        JobProposed { number, digest, definition, reason: "to see".to_owned() }
    }

    fn requests(&self) -> Vec<ChangeRequest> {
        let state = self.world.streams.get(&job()).unwrap();
        state.body.job().unwrap().versions.requests.clone()
    }

    fn outcomes(&self) -> Vec<&'static str> {
        self.requests().iter().map(|request| request.outcome.word()).collect()
    }

    fn waits(&self) -> Option<u32> {
        let state = self.world.streams.get(&job()).unwrap();
        state.body.job().unwrap().versions.proposal.as_ref().map(|proposal| proposal.number)
    }

    /// ana has proposed the first definition; the digest.
    fn proposal(&mut self) -> domain::canonical::Digest {
        let proposed = self.proposed(1, json!({}));
        let digest = proposed.digest;
        self.valid("ana", proposed);
        digest
    }
}

fn why() -> String {
    "because".to_owned()
}

#[test]
fn what_waits_is_approved_rejected_withdrawn_or_superseded_and_never_two_of_them() {
    let mut desk = Desk::new();
    let digest = desk.proposal();
    let rejected = || ChangeRejected { number: 1, digest, reason: why() };
    desk.refuses("ana", rejected(), "whoever proposed it withdraws it");
    desk.valid("bob", rejected());
    assert_eq!((desk.outcomes(), desk.waits()), (vec!["rejected"], None));
    desk.refuses("cyd", rejected(), "it is rejected");
    desk.refuses("bob", JobApproved { number: 1, digest }, "nothing is proposed");
    let second = desk.proposed(2, json!({"description": "two"}));
    desk.valid("ana", second);
    let withdrawn = |number| ChangeWithdrawn { number, reason: why() };
    desk.refuses("bob", withdrawn(2), "only whoever proposed it withdraws it: reject it");
    desk.refuses("ana", withdrawn(9), "there is no such change");
    desk.valid("ana", withdrawn(2));
    let (third, fourth) = (
        desk.proposed(3, json!({"description": "3"})),
        desk.proposed(4, json!({"description": "4"})),
    );
    desk.valid("ana", third);
    let digest = fourth.digest;
    desk.valid("cyd", fourth);
    desk.valid("bob", JobApproved { number: 4, digest });
    assert_eq!(desk.outcomes(), ["rejected", "withdrawn", "superseded", "approved"]);
    let by = |request: &ChangeRequest| match &request.outcome {
        ChangeOutcome::Approved { by, .. } => by.clone(),
        ChangeOutcome::Open
        | ChangeOutcome::Rejected { .. }
        | ChangeOutcome::Withdrawn { .. }
        | ChangeOutcome::Superseded { .. } => None,
    };
    assert_eq!(by(&desk.requests()[3]).as_deref(), Some("user/bob"));
}

#[test]
fn what_is_rejected_is_what_was_shown() {
    let mut desk = Desk::new();
    let digest = desk.proposal();
    let other =
        ChangeRejected { number: 1, digest: domain::canonical::Digest::NONE, reason: why() };
    desk.refuses("bob", other, "it rejects another definition than was proposed");
    let silent = ChangeRejected { number: 1, digest, reason: " ".to_owned() };
    desk.refuses("bob", silent, "a text of 1 to 1000 bytes is needed");
}

#[test]
fn anybody_comments_also_on_what_is_decided_and_fifty_times_at_most() {
    let mut desk = Desk::new();
    let digest = desk.proposal();
    let comment = |text: &str| ChangeCommented { number: 1, text: text.to_owned() };
    desk.valid("cyd", comment("why not at noon?"));
    desk.valid("bob", JobApproved { number: 1, digest });
    desk.valid("ana", comment("because the bank is slow then"));
    let comments = desk.requests()[0].comments.clone();
    assert_eq!(comments.len(), 2);
    assert_eq!(
        (comments[0].by.as_deref(), &*comments[0].text),
        (Some("user/cyd"), "why not at noon?")
    );
    for _ in 2..50 {
        desk.valid("ana", comment("x"));
    }
    desk.refuses("ana", comment("x"), "it has 50 comments already");
}

#[test]
fn what_cannot_wait_its_author_makes_active_and_somebody_else_looks_at_it_afterwards() {
    let mut desk = Desk::new();
    let digest = desk.proposal();
    let until = later(desk.now, 24 * 3_600_000);
    let expedited = || ChangeExpedited { number: 1, digest, reason: why(), until };
    let approved = || JobApproved { number: 1, digest };
    desk.refuses("ana", approved(), "nobody approves their own change");
    desk.refuses("cyd", expedited(), "whoever proposed it says that it cannot wait");
    let late = ChangeExpedited { until: later(desk.now, 8 * 24 * 3_600_000), ..expedited() };
    desk.refuses("ana", late, "somebody else looks at it within seven days");
    desk.valid("ana", expedited());
    desk.refuses("ana", expedited(), "that is said already");
    let ratified = || ChangeRatified { number: 1, digest, reason: why() };
    desk.refuses("bob", ratified(), "nothing of it waits for a look");
    desk.valid("ana", approved());
    assert!(desk.requests()[0].waits_for_a_look());
    desk.refuses("ana", ratified(), "somebody else looks at it than made it active");
    let mut objected = Desk { world: desk.world.clone(), now: desk.now };
    desk.valid("bob", ratified());
    desk.refuses("cyd", ratified(), "nothing of it waits for a look");
    let looked = |desk: &Desk| desk.requests()[0].expedited.clone().unwrap().looked.unwrap();
    assert_eq!((looked(&desk).right, looked(&desk).by.as_deref()), (true, Some("user/bob")));
    let rejected = || ChangeRejected { number: 1, digest, reason: why() };
    objected.refuses("ana", rejected(), "somebody else looks at it than made it active");
    objected.valid("bob", rejected());
    assert!(!looked(&objected).right);
    assert_eq!(objected.outcomes(), ["approved"], "it stays active until another takes its place");
}

#[test]
fn what_cannot_wait_needs_no_approver_where_accounts_are_required_and_no_other_change_is_let_through()
 {
    let mut desk = Desk::new();
    let grants = |grants: &[&str]| UserProvisioned {
        grants: grants.iter().map(|text| text.parse().unwrap()).collect(),
        program: false,
        reason: why(),
    };
    let now = desk.now;
    for (name, roles) in [("ana", &["author"][..]), ("bob", &["approver"]), ("cyd", &["author"])] {
        let mark = desk.world.say_next("console/c1", StreamId::user(name), grants(roles), now);
        assert_eq!(mark, Mark::Valid);
    }
    let required = LogAccountsRequired { reason: why() };
    let mark = desk.world.say_next("console/c1", StreamId::log("main"), required, now);
    assert_eq!(mark, Mark::Valid);
    let digest = desk.proposal();
    let approved = JobApproved { number: 1, digest };
    assert!(refused(&desk.says("ana", approved.clone())).contains("needs the role approver"));
    let until = later(desk.now, 3_600_000);
    desk.valid("ana", ChangeExpedited { number: 1, digest, reason: why(), until });
    assert!(refused(&desk.says("cyd", approved.clone())).contains("needs the role approver"));
    desk.valid("ana", approved);
    let second = desk.proposed(2, json!({"description": "two"}));
    let digest = second.digest;
    desk.valid("ana", second);
    assert!(refused(&desk.says("ana", JobApproved { number: 2, digest })).contains("approver"));
}

#[test]
fn changes_are_spoken_of_where_something_is_defined_and_nowhere_else() {
    let mut desk = Desk::new();
    let now = desk.now;
    let comment = || ChangeCommented { number: 1, text: "x".to_owned() };
    for (stream, why) in [
        (StreamId::job("other"), "there is no such change"),
        (StreamId::thing(domain::site::ThingKind::Calendar, "bank"), "there is no such change"),
        (StreamId::user("ana"), "change.commented does not belong to user/ana"),
        (StreamId::host("h1"), "change.commented does not belong to host/h1"),
    ] {
        let mark = desk.world.say_by("user/ana", stream, comment(), now);
        assert_eq!(refused(&mark), why);
    }
}
