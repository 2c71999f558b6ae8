//! Legal holds, and payloads that are erased before their time.

use domain::envelope::Draft;
use domain::event::{
    AttemptReport, CommandEnd, EraseReason, Event, HoldKept, HoldLiftAsked, HoldLifted, HoldPlaced,
    LogPolicySet, PayloadErased, PayloadRedacted, PayloadRedactionAsked, PayloadRedactionDeclined,
    PrintErased, PrintMoved, RunSucceeded,
};
use domain::ids::StreamId;
use domain::ledger::{HOLDS_MAX, Mark, OVER_MAX, Records, Streams as _, WEIGHT_MAX, payload_hosts};

use crate::given::later;
use crate::people::People;
use crate::prints::{Office, STATES, it, refuses, run_of, valid, why};
use crate::site::refused;

const RECORDS: &str = "log/records";

fn records() -> StreamId {
    StreamId::records()
}

pub(crate) fn placed(name: &str, over: &[&str]) -> HoldPlaced {
    let over = over.iter().map(|one| (*one).to_owned()).collect();
    HoldPlaced { name: name.to_owned(), over, reason: why() }
}

pub(crate) fn lift(name: &str) -> HoldLiftAsked {
    HoldLiftAsked { name: name.to_owned(), reason: why() }
}

pub(crate) fn lifted(name: &str) -> HoldLifted {
    HoldLifted { name: name.to_owned(), reason: why() }
}

fn kept(name: &str) -> HoldKept {
    HoldKept { name: name.to_owned(), reason: why() }
}

pub(crate) fn asked(of: &StreamId) -> PayloadRedactionAsked {
    PayloadRedactionAsked { of: of.clone(), reason: why() }
}

fn declined(of: &StreamId) -> PayloadRedactionDeclined {
    PayloadRedactionDeclined { of: of.clone(), reason: why() }
}

pub(crate) fn erased(of: &StreamId, host: &str) -> PayloadErased {
    PayloadErased { of: of.clone(), host: host.to_owned() }
}

impl Office {
    pub(crate) fn agreed(&self, of: &StreamId) -> PayloadRedacted {
        let hosts = self.world.streams.get(of).map(|state| payload_hosts(&state.body));
        PayloadRedacted { of: of.clone(), hosts: hosts.unwrap_or_default(), reason: why() }
    }

    pub(crate) fn say(&mut self, who: &str, event: impl Into<Event>) -> Mark {
        self.by(who, &records(), event)
    }

    fn known(&self) -> Records {
        let state = self.world.streams.get(&records());
        state.and_then(|state| state.body.records().cloned()).unwrap_or_default()
    }

    /// A run ends well.
    pub(crate) fn end(&mut self, job: &str) -> StreamId {
        let (run, host) = (run_of(job), "h1".to_owned());
        let report = AttemptReport {
            attempt: 1,
            host: host.clone(),
            end: CommandEnd::Exited { code: 0 },
            began: self.now,
            ended: self.now,
            output: None,
            killed: 0,
            text: None,
            artefacts: Vec::new(),
        };
        let draft = self.draft(&run, RunSucceeded { attempt: 1, host, warning: false, report });
        let payload = Office::payload();
        valid(&self.judge("executor/h1", Draft { payload: Some(payload), ..draft }));
        run
    }

    fn keep_time_over(&mut self) {
        let keep = self.document(&it()).keep_ms;
        self.wait(keep + 1_000);
    }
}

#[test]
fn what_an_attempt_wrote_is_committed_to_by_the_event_that_ends_it() {
    let mut office = Office::new();
    let run = office.end("report");
    let state = office.world.streams.get(&run).unwrap();
    let attempt = state.body.run().unwrap().attempts[0].clone();
    assert_eq!(attempt.payload, Some(Office::payload()));
}

#[test]
fn a_payload_is_erased_before_its_time_when_one_asked_and_another_agreed_and_each_host_says_so() {
    let mut office = Office::new();
    let run = office.end("report");
    let agreed = office.agreed(&run);
    assert_eq!(agreed.hosts, ["h1"]);
    refuses(&office.say("user/bob", agreed.clone()), &format!("nobody asks that {run} is erased"));
    valid(&office.say("user/ana", asked(&run)));
    refuses(&office.say("user/bob", asked(&run)), "that is asked already");
    let other = "somebody else agrees than asked for it";
    refuses(&office.say("user/ana", agreed.clone()), other);
    let elsewhere = PayloadRedacted { hosts: vec!["h2".to_owned()], ..agreed.clone() };
    let named = "other hosts have something of it than those that are named";
    refuses(&office.say("user/bob", elsewhere), named);
    refuses(&office.host("h1", &records(), erased(&run, "h1")), "nobody waits for that");
    valid(&office.say("user/bob", agreed.clone()));
    assert_eq!(office.known().to_erase("h1").collect::<Vec<_>>(), [&run]);
    refuses(&office.say("user/cyd", agreed), "that is agreed already");
    refuses(&office.say("user/cyd", declined(&run)), "that is agreed already");
    refuses(&office.host("h2", &records(), erased(&run, "h1")), "a host speaks for itself");
    refuses(&office.host("h2", &records(), erased(&run, "h2")), "nobody waits for that");
    valid(&office.host("h1", &records(), erased(&run, "h1")));
    refuses(&office.host("h1", &records(), erased(&run, "h1")), "nobody waits for that");
    let one = &office.known().redactions[&run];
    assert_eq!((one.word(), one.is_over()), ("erased", true));
    refuses(&office.say("user/cyd", asked(&run)), "that is erased already");
}

#[test]
fn what_was_declined_may_be_asked_again() {
    let mut office = Office::new();
    let run = office.end("report");
    refuses(&office.say("user/ana", declined(&run)), &format!("nobody asks that {run} is erased"));
    valid(&office.say("user/ana", asked(&run)));
    // Who asked takes it back.
    valid(&office.say("user/ana", declined(&run)));
    valid(&office.say("user/bob", asked(&run)));
    let agreed = office.agreed(&run);
    valid(&office.say("user/ana", agreed));
}

#[test]
fn only_what_rests_is_erased() {
    for state in STATES {
        let mut office = Office::new();
        let job = if state == "electronic" { "letters" } else { "mixed" };
        office.spool(job).bring(state);
        let rests = office.document(&it()).state.rests();
        let mark = office.say("user/ana", asked(&it()));
        match state {
            "erased" => refuses(&mark, "its content is erased already"),
            _ if rests => valid(&mark),
            _ => refuses(&mark, "it is printed, or is to be: cancel it first"),
        }
    }
    let mut office = Office::new();
    refuses(&office.say("user/ana", asked(&run_of("report"))), "the run has not ended");
    for of in ["job/report", "run/report@request-9", RECORDS] {
        let mark = office.say("user/ana", asked(&of.parse().unwrap()));
        refuses(&mark, &format!("{of} is no run and no document"));
    }
}

#[test]
fn a_host_erases_a_document_before_its_time_only_when_two_have_agreed() {
    let mut office = Office::new();
    office.spool("report").bring("printed");
    let early = |office: &mut Office, reason| office.host("h1", &it(), PrintErased { reason });
    let kept = "it is to be kept for longer";
    refuses(&early(&mut office, EraseReason::Kept), kept);
    let nobody = "nobody has agreed that it is erased";
    refuses(&early(&mut office, EraseReason::Redacted), nobody);
    valid(&office.say("user/ana", asked(&it())));
    refuses(&early(&mut office, EraseReason::Redacted), nobody);
    let agreed = office.agreed(&it());
    valid(&office.say("user/bob", agreed));
    valid(&early(&mut office, EraseReason::Redacted));
    valid(&office.host("h1", &records(), erased(&it(), "h1")));
    assert!(office.document(&it()).erased.is_some());
}

#[test]
fn what_a_legal_hold_keeps_is_erased_neither_by_its_time_nor_by_two() {
    let job = "job/report";
    for over in
        [&[job][..], &["job/rep*"], &["queue/office"], &["queue/*"], &["*"], &["job/x", job]]
    {
        let mut office = Office::new();
        office.spool("report").bring("printed");
        let run = office.end("report");
        valid(&office.say("user/ana", placed("case-7", over)));
        office.keep_time_over();
        let held = "the legal hold case-7 keeps it";
        let time = |office: &mut Office| {
            office.host("h1", &it(), PrintErased { reason: EraseReason::Kept })
        };
        refuses(&time(&mut office), held);
        refuses(&office.say("user/ana", asked(&it())), held);
        // A hold over a queue is about documents, and one over a job about all that it makes.
        let of_job = !over[0].starts_with("queue");
        assert_eq!(office.known().keeps_run(&run).is_some(), of_job, "{over:?}");
        valid(&office.say("user/ana", lift("case-7")));
        valid(&office.say("user/bob", lifted("case-7")));
        valid(&time(&mut office));
    }
    for over in ["job/other", "job/reporting*", "queue/upstairs", "job/re"] {
        let mut office = Office::new();
        office.spool("report").bring("printed");
        valid(&office.say("user/ana", placed("case-7", &[over])));
        office.keep_time_over();
        valid(&office.host("h1", &it(), PrintErased { reason: EraseReason::Kept }));
    }
}

#[test]
fn a_document_that_is_moved_out_of_a_queue_is_kept_by_a_hold_over_it_all_the_same() {
    let mut office = Office::new();
    office.spool("report");
    valid(&office.say("user/ana", placed("case-7", &["queue/office"])));
    let definition = office.queue_reference("upstairs");
    let queue = "upstairs".to_owned();
    office.does("user/mia", PrintMoved { queue, definition, reason: why() });
    office.bring("cancelled").keep_time_over();
    let mark = office.host("h1", &it(), PrintErased { reason: EraseReason::Kept });
    refuses(&mark, "the legal hold case-7 keeps it");
}

#[test]
fn a_hold_that_comes_between_keeps_what_was_asked_for_already() {
    let mut office = Office::new();
    let run = office.end("report");
    valid(&office.say("user/ana", asked(&run)));
    valid(&office.say("user/ana", placed("case-7", &["job/report"])));
    let agreed = office.agreed(&run);
    refuses(&office.say("user/bob", agreed), "the legal hold case-7 keeps it");
}

#[test]
fn a_hold_that_comes_after_two_have_agreed_keeps_what_is_not_erased_yet() {
    let mut office = Office::new();
    office.spool("report").bring("printed");
    let run = office.end("report");
    for of in [&run, &it()] {
        valid(&office.say("user/ana", asked(of)));
        let agreed = office.agreed(of);
        valid(&office.say("user/bob", agreed));
    }
    valid(&office.say("user/ana", placed("case-7", &["job/report"])));
    assert!(!office.known().to_erase("h1").any(|of| *of == run));
    let erase = |office: &mut Office| {
        office.host("h1", &it(), PrintErased { reason: EraseReason::Redacted })
    };
    refuses(&erase(&mut office), "the legal hold case-7 keeps it");
    valid(&office.say("user/ana", lift("case-7")));
    valid(&office.say("user/bob", lifted("case-7")));
    assert!(office.known().to_erase("h1").any(|of| *of == run));
    valid(&erase(&mut office));
}

#[test]
fn a_hold_ends_when_one_asked_and_another_agreed() {
    let mut office = Office::new();
    valid(&office.say("user/ana", placed("case-7", &["*"])));
    refuses(&office.say("user/bob", placed("case-7", &["*"])), "there is a hold of that name");
    refuses(&office.say("user/bob", lifted("case-7")), "nobody asks for its end");
    refuses(&office.say("user/bob", kept("case-7")), "nobody asks for its end");
    valid(&office.say("user/ana", lift("case-7")));
    refuses(&office.say("user/bob", lift("case-7")), "that is asked for already");
    let other = "somebody else lifts a hold than asked for that";
    refuses(&office.say("user/ana", lifted("case-7")), other);
    valid(&office.say("user/bob", kept("case-7")));
    refuses(&office.say("user/cyd", lifted("case-7")), "nobody asks for its end");
    valid(&office.say("user/bob", lift("case-7")));
    // Who placed it may agree that it ends: two have agreed all the same.
    valid(&office.say("user/ana", lifted("case-7")));
    refuses(&office.say("user/ana", lift("case-7")), "there is no hold \"case-7\"");
    assert_eq!(office.known(), Records::default());
}

#[test]
fn a_hold_has_a_name_and_says_what_it_is_over() {
    let mut office = Office::new();
    let long = "x".repeat(61);
    for name in ["", "two words", "a/b", "ä", long.as_str()] {
        let said = refused(&office.say("user/ana", placed(name, &["*"])));
        assert!(said.starts_with("a hold's name has 1 to 60 letters"), "{name}: {said}");
    }
    for over in [
        "",
        "report",
        "job/",
        "run/report*",
        "job/a b",
        "dataset/x",
        "**",
        "job/*x",
        "jo*",
        "job/a b*",
    ] {
        let said = refused(&office.say("user/ana", placed("a", &[over])));
        assert!(said.contains("is not job/NAME, queue/NAME"), "{over}: {said}");
    }
    let many = vec!["*"; OVER_MAX + 1];
    for over in [&[][..], &many] {
        let said = refused(&office.say("user/ana", placed("a", over)));
        assert_eq!(said, "a hold is over 1 to 50 patterns");
    }
    for (number, over) in ["job/a", "job/*", "job/a.*", "job/a-*", "queue/q*"].iter().enumerate() {
        valid(&office.say("user/ana", placed(&number.to_string(), &[over])));
    }
    for number in 5..HOLDS_MAX {
        valid(&office.say("user/ana", placed(&number.to_string(), &["*"])));
    }
    refuses(&office.say("user/ana", placed("more", &["*"])), "there are too many holds");
}

#[test]
fn each_word_about_records_is_a_persons_with_a_reason() {
    let mut office = Office::new();
    let run = office.end("report");
    let nobody = office.draft(&records(), placed("a", &["*"]));
    let mark = office.judge("console/c1", nobody);
    refuses(&mark, "a person answers for it, who is named");
    let no_reason = "a reason of 1 to 1000 bytes is needed";
    valid(&office.say("user/ana", asked(&run)));
    let agreed = PayloadRedacted { reason: String::new(), ..office.agreed(&run) };
    refuses(&office.say("user/bob", agreed), no_reason);
    let declined = PayloadRedactionDeclined { reason: " ".to_owned(), ..declined(&run) };
    refuses(&office.say("user/bob", declined), no_reason);
    let long = PayloadRedactionAsked { reason: "x".repeat(1_001), ..asked(&it()) };
    refuses(&office.say("user/bob", long), no_reason);
    let hold = HoldPlaced { reason: String::new(), ..placed("a", &["*"]) };
    refuses(&office.say("user/bob", hold), no_reason);
}

#[test]
fn who_keeps_records_is_an_approver_or_an_administrator_and_no_program() {
    let mut people =
        People::with(&[("bob", &["approver"]), ("mia", &["operator"]), ("eve", &["auditor"])]);
    people.valid("bob", RECORDS, placed("a", &["*"]));
    people.valid("ada", RECORDS, lift("a"));
    for name in ["mia", "eve"] {
        let needs = format!(
            "user/{name} may not place and lift legal holds, and have payloads erased before their time: that needs the role approver or admin"
        );
        people.refuses(name, RECORDS, lifted("a"), &needs);
    }
    people.valid("bob", RECORDS, lifted("a"));
}

#[test]
fn a_site_that_lets_one_person_approve_what_they_ask_for_lets_them_erase_too() {
    let mut office = Office::new();
    let run = office.end("report");
    let policy = LogPolicySet { self_approval: true, reason: why() };
    valid(&office.by("user/ana", &StreamId::log("main"), policy));
    valid(&office.say("user/ana", asked(&run)));
    let agreed = office.agreed(&run);
    valid(&office.say("user/ana", agreed));
}

#[test]
fn those_that_are_over_are_forgotten_where_there_are_too_many() {
    let mut office = Office::new();
    office.judged_twice = 1_000;
    let run = office.end("report");
    valid(&office.say("user/ana", asked(&run)));
    let mut all = office.known();
    let one = all.redactions[&run].clone();
    let open = |n: u32| StreamId::run("x", &format!("request-{n}"));
    for number in 0..600_u32 {
        let mut over = one.clone();
        over.agreed = Some(one.asked.clone());
        over.erased.insert("h1".to_owned(), later(office.now, i64::from(number)));
        all.redactions.insert(open(number), over);
    }
    let state = office.world.streams.get(&records()).unwrap().clone();
    let body = domain::ledger::Body::Records(Box::new(all));
    office.world.streams.put(records(), domain::ledger::StreamState { body, ..state });
    let agreed = office.agreed(&run);
    valid(&office.say("user/bob", agreed));
    valid(&office.host("h1", &records(), erased(&run, "h1")));
    let known = office.known();
    assert_eq!(known.redactions.len(), 500);
    assert!(!known.redactions.contains_key(&open(0)) && known.redactions.contains_key(&open(599)));
}

#[test]
fn holds_take_no_more_room_than_one_message_has() {
    let mut office = Office::new();
    let over: Vec<String> =
        (0..OVER_MAX).map(|n| format!("job/{}{n:02}*", "n".repeat(60))).collect();
    let over: Vec<&str> = over.iter().map(String::as_str).collect();
    // Each character of it takes two bytes where it is written.
    let reason = "\"".repeat(1_000);
    let mut placed_at_all = 0;
    let full = loop {
        let event =
            HoldPlaced { reason: reason.clone(), ..placed(&format!("h{placed_at_all}"), &over) };
        let mark = office.say("user/ana", event);
        if mark != Mark::Valid {
            break mark;
        }
        placed_at_all += 1;
        assert!(placed_at_all < HOLDS_MAX, "their number is no limit here");
    };
    let room = "holds and redactions take too much room: end, decline or finish some first";
    refuses(&full, room);
    for number in 0..placed_at_all {
        let event = HoldLiftAsked { reason: reason.clone(), ..lift(&format!("h{number}")) };
        valid(&office.say("user/ana", event));
    }
    let written = serde_json::to_vec(&office.known()).unwrap().len();
    assert!(written > WEIGHT_MAX && written < 900 * 1024, "{written} bytes");
    let run = office.end("report");
    refuses(&office.say("user/ana", asked(&run)), room);
    for number in 0..placed_at_all {
        valid(&office.say("user/bob", lifted(&format!("h{number}"))));
    }
    valid(&office.say("user/ana", asked(&run)));
}
