//! Who may do what: the table, and accounts as the recorder takes what is said of them.

use domain::canonical::Digest;
use domain::event::{
    Entry, Event, LogAccountsRequired, LogOut, LogPolicySet, Role, UserCodeIssued, UserCreated,
    UserDenied, UserFilterSaved, UserGrantsSet, UserLoggedIn, UserLoggedOut, UserLoginFailed,
    UserPasswordSet, UserProvisioned, UserRemoved, UserTokenCreated, UserTokenIssued,
    UserTokenRevoked, UserTokenUsed,
};
use domain::ids::StreamId;
use domain::ledger::{Mark, Streams as _};
use domain::people::{Action, Grant, IDLE_MS, Subject, User, action_of, decide};
use jiff::Timestamp;
use serde_json::json;

use crate::given::{World, at, definition, golden, later};
use crate::site::refused;

/// The table as people read it: `x` where a role may.
const TABLE: &str = "
                   viewer operator author approver auditor admin
view               x      x        x      x        x       x
read-output        -      x        x      x        x       x
read-documents     -      -        -      x        x       -
ask-hosts          -      x        x      x        -       -
look-into-backups  -      x        -      -        x       -
propose            -      -        x      -        -       -
approve            -      -        -      x        -       -
comment-changes    -      x        x      x        -       x
expedite           -      -        x      -        -       -
request-runs       -      x        -      -        -       -
steer-runs         -      x        -      -        -       -
confirm-runs       -      x        x      x        -       x
resolve-runs       -      x        -      -        -       -
steer-jobs         -      x        -      -        -       -
sign-reviews       -      x        -      x        -       -
attend-incidents   -      x        x      x        -       x
resolve-incidents  -      x        -      x        -       -
audit-requests     -      -        -      -        x       -
answer-requests    -      x        -      -        -       x
hold-snapshots     -      x        -      x        -       -
request-forget     -      x        -      -        -       -
approve-forget     -      -        -      x        -       -
certify-tests      -      -        -      x        -       -
steer-prints       -      x        -      -        -       -
keep-stock         -      x        -      x        -       -
approve-reprints   -      -        -      x        -       -
decline-requests   -      x        -      x        -       -
keep-records       -      -        -      x        -       x
keep-hosts         -      x        -      -        -       x
invite-hosts       -      -        -      -        -       x
keep-people        -      -        -      -        -       x
own-account        x      x        x      x        x       x
";

fn user(name: &str, grants: &[&str]) -> User {
    let grants = grants.iter().map(|text| text.parse().unwrap()).collect();
    User { grants, seen: Some(at("08:00")), ..User::new(name) }
}

fn may(user: &User, action: Action, job: &str, pools: &[&str]) -> Result<(), String> {
    let pools: Vec<String> = pools.iter().map(|pool| (*pool).to_owned()).collect();
    let subject = Subject { job: Some(job).filter(|job| !job.is_empty()), pools: &pools };
    decide(user, &[], action, &subject, at("09:00")).map_err(|denial| denial.to_string())
}

#[test]
fn each_cell_of_the_table_is_what_it_says_and_no_cell_is_missing() {
    let mut lines = TABLE.lines().filter(|line| !line.trim().is_empty());
    let roles: Vec<Role> =
        lines.next().unwrap().split_whitespace().map(|w| Role::from_word(w).unwrap()).collect();
    assert_eq!(roles, Role::ALL);
    let mut seen = 0;
    for line in lines {
        let mut words = line.split_whitespace();
        let word = words.next().unwrap();
        let action = Action::ALL.into_iter().find(|action| action.word() == word).unwrap();
        for (role, cell) in roles.iter().zip(words) {
            let one = user("mia", &[role.word()]);
            assert_eq!(may(&one, action, "a", &["p"]).is_ok(), cell == "x", "{word} {role:?}");
            seen += 1;
        }
    }
    assert_eq!(seen, Role::ALL.len() * Action::ALL.len());
}

#[test]
fn an_auditor_reads_everything_and_changes_nothing_but_asks_to_be_shown_more() {
    let auditor = user("eve", &["auditor"]);
    let may: Vec<&str> = Action::ALL
        .into_iter()
        .filter(|action| may(&auditor, *action, "a", &["p"]).is_ok())
        .map(Action::word)
        .collect();
    let reads = ["view", "read-output", "read-documents", "look-into-backups"];
    assert_eq!(may, [&reads[..], &["audit-requests", "own-account"]].concat());
}

#[test]
fn a_grant_reaches_as_far_as_its_scope() {
    for (grant, job, pools, wanted) in [
        ("operator", "pay", &["eu"][..], true),
        ("operator", "", &[], true),
        ("operator@folder/payroll", "payroll.export", &["eu"], true),
        ("operator@folder/payroll", "payroll.export", &[], true),
        ("operator@folder/payroll", "payroll", &["eu"], false),
        ("operator@folder/payroll", "payrolls.export", &["eu"], false),
        ("operator@folder/payroll", "other.payroll.export", &["eu"], false),
        ("operator@folder/payroll", "", &["eu"], false),
        ("operator@pool/eu", "pay", &["eu"], true),
        ("operator@pool/eu", "pay", &["us"], false),
        // From a pool into another is in both.
        ("operator@pool/eu", "pay", &["eu", "us"], false),
        ("operator@pool/eu", "pay", &[], false),
        ("operator@pool/eu", "", &[], false),
    ] {
        let one = user("mia", &[grant]);
        let may = may(&one, Action::SteerRuns, job, pools);
        assert_eq!(may.is_ok(), wanted, "{grant} {job:?} {pools:?}: {may:?}");
    }
    let both = user("mia", &["operator@folder/payroll", "operator@pool/eu", "author"]);
    assert!(may(&both, Action::SteerRuns, "other", &["eu"]).is_ok());
    let denied = may(&both, Action::SteerRuns, "other", &["us"]).unwrap_err();
    assert_eq!(
        denied,
        "user/mia may not hold, release, skip, move, delay and cancel runs here, but only for \
         folder/payroll or pool/eu"
    );
}

#[test]
fn a_token_may_no_more_than_its_account_and_no_more_than_it_says() {
    let ask = |grants: &[&str], limits: &[&str], action: Action, job: &str| {
        let limits: Vec<Grant> = limits.iter().map(|text| text.parse().unwrap()).collect();
        let subject = Subject { job: Some(job), pools: &[] };
        decide(&user("mia", grants), &limits, action, &subject, at("09:00")).is_ok()
    };
    let payroll = "author@folder/payroll";
    for (grants, limits, action, job, wanted) in [
        (&["author"][..], &[][..], Action::Propose, "a", true),
        (&["author"], &["author"], Action::Propose, "a", true),
        (&["author"], &[payroll], Action::Propose, "payroll.a", true),
        (&["author"], &[payroll], Action::Propose, "a", false),
        (&[payroll], &["author"], Action::Propose, "payroll.a", true),
        (&[payroll], &["author"], Action::Propose, "a", false),
        (&["author"], &["operator"], Action::Propose, "a", false),
        (&["author"], &["operator"], Action::SteerRuns, "a", false),
        (&["author", "operator"], &["operator"], Action::SteerRuns, "a", true),
        (&["author", "operator"], &["viewer"], Action::SteerRuns, "a", false),
        (&["author"], &["viewer"], Action::View, "a", true),
    ] {
        assert_eq!(ask(grants, limits, action, job), wanted, "{grants:?} {limits:?} {action:?}");
    }
}

#[test]
fn what_needs_a_persons_name_no_program_does_whatever_its_roles() {
    let every = ["operator", "author", "approver", "admin"];
    let program = User { program: true, ..user("import", &every) };
    for action in Action::ALL {
        let denied = may(&program, action, "a", &[]);
        assert_eq!(denied.is_err(), action.needs_person(), "{action:?}: {denied:?}");
    }
    let denied = may(&program, Action::Approve, "a", &[]).unwrap_err();
    assert!(denied.starts_with("user/import is a program, and this needs a person's name"));
}

#[test]
fn who_was_removed_or_not_heard_of_for_ninety_days_may_nothing() {
    let gone = User { removed: Some(("left".to_owned(), at("08:00"))), ..user("mia", &["viewer"]) };
    assert_eq!(may(&gone, Action::View, "", &[]).unwrap_err(), "user/mia was removed");
    let ask = |user: &User, now: Timestamp| {
        decide(user, &[], Action::View, &Subject::default(), now).map_err(|d| d.to_string())
    };
    let idle = user("mia", &["viewer"]);
    assert_eq!(ask(&idle, later(at("08:00"), IDLE_MS)), Ok(()));
    assert_eq!(
        ask(&idle, later(at("08:00"), IDLE_MS + 1)).unwrap_err(),
        "user/mia was not heard of for 90 days: an administrator lets them in again"
    );
    // Its tokens end by themselves.
    let program = User { program: true, ..idle };
    assert_eq!(ask(&program, later(at("08:00"), 2 * IDLE_MS)), Ok(()));
}

#[test]
fn grants_are_written_as_they_are_read_and_what_is_none_is_refused() {
    for text in ["viewer", "operator", "author@folder/payroll", "operator@pool/eu.west"] {
        assert_eq!(text.parse::<Grant>().unwrap().to_string(), text);
    }
    for text in [
        "",
        "root",
        "operator@",
        "operator@eu",
        "operator@pool/",
        "operator@pool/EU",
        "operator@folder/a.b",
        "operator@host/a",
        "operator@pool/a@pool/b",
        "Operator",
    ] {
        assert!(text.parse::<Grant>().is_err(), "{text}");
    }
}

/// A log that asks for accounts: ada keeps them, and nobody else is there yet.
pub(crate) struct People {
    pub(crate) world: World,
    pub(crate) now: Timestamp,
}

/// The stream of an account, or of the log, or another one by its whole name.
fn stream(about: &str) -> StreamId {
    match about {
        "" => StreamId::log("main"),
        other if other.contains('/') => other.parse().unwrap(),
        name => account(name),
    }
}

pub(crate) fn account(name: &str) -> StreamId {
    StreamId::user(name)
}

pub(crate) fn provisioned(grants: &[&str]) -> UserProvisioned {
    let grants = grants.iter().map(|text| text.parse().unwrap()).collect();
    UserProvisioned { grants, program: false, reason: "starts".to_owned() }
}

pub(crate) fn grants_set(grants: &[&str]) -> UserGrantsSet {
    let grants = grants.iter().map(|text| text.parse().unwrap()).collect();
    UserGrantsSet { grants, reason: "moves".to_owned() }
}

impl People {
    pub(crate) fn new() -> Self {
        let now = at("08:00");
        let mut people = Self { world: World::new(now), now };
        people.alone("ada", provisioned(&["admin"]));
        people.alone("", LogAccountsRequired { reason: "first start".to_owned() });
        people
    }

    pub(crate) fn with(accounts: &[(&str, &[&str])]) -> Self {
        let mut people = Self::new();
        for (name, grants) in accounts {
            people.valid("ada", name, provisioned(grants));
        }
        people
    }

    /// What a console says of an account, or of the log, on somebody's behalf.
    pub(crate) fn by(&mut self, who: &str, about: &str, event: impl Into<Event>) -> Mark {
        let id = stream(about);
        self.world.say_by(&format!("user/{who}"), id, event, self.now)
    }

    #[track_caller]
    pub(crate) fn valid(&mut self, who: &str, about: &str, event: impl Into<Event>) {
        assert_eq!(self.by(who, about, event), Mark::Valid);
    }

    #[track_caller]
    pub(crate) fn refuses(&mut self, who: &str, about: &str, event: impl Into<Event>, why: &str) {
        assert_eq!(refused(&self.by(who, about, event)), why);
    }

    /// On its own.
    pub(crate) fn alone_says(&mut self, about: &str, event: impl Into<Event>) -> Mark {
        let id = stream(about);
        self.world.say_next("console/c1", id, event, self.now)
    }

    #[track_caller]
    pub(crate) fn alone(&mut self, about: &str, event: impl Into<Event>) {
        assert_eq!(self.alone_says(about, event), Mark::Valid);
    }

    pub(crate) fn user(&self, name: &str) -> User {
        self.world.streams.get(&account(name)).unwrap().body.user().unwrap().clone()
    }

    pub(crate) fn login(&self, by: Entry, session: &str) -> UserLoggedIn {
        let until = later(self.now, 12 * 3_600_000);
        UserLoggedIn { session: session.to_owned(), by, until }
    }
}

pub(crate) const HASH: &str = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA";

#[test]
fn accounts_are_made_changed_and_removed_by_those_who_keep_them_and_by_nobody_else() {
    let mut people = People::with(&[("mia", &["operator"]), ("bob", &["approver", "author"])]);
    let needs = "user/mia may not make, change and remove accounts: that needs the role admin";
    for event in [
        Event::from(provisioned(&["viewer"])),
        Event::from(grants_set(&["viewer"])),
        Event::from(UserRemoved { reason: "x".to_owned() }),
    ] {
        people.refuses("mia", "tom", event, needs);
    }
    people.refuses("zoe", "tom", provisioned(&["viewer"]), "there is no account user/zoe");
    let nobody = refused(&people.alone_says("tom", provisioned(&["viewer"])));
    assert_eq!(nobody, "it does not say who does it");
    people.refuses("ada", "mia", provisioned(&["viewer"]), "the user exists already");
    people.refuses("ada", "tom", grants_set(&["viewer"]), "there is no such user");
    people.valid("ada", "mia", grants_set(&["viewer"]));
    people.refuses("ada", "mia", grants_set(&["viewer"]), "that is what they may do already");
    people.valid("ada", "mia", UserRemoved { reason: "left".to_owned() });
    people.refuses(
        "ada",
        "mia",
        UserRemoved { reason: "left".to_owned() },
        "there is no such user",
    );
    people.valid("ada", "mia", provisioned(&["operator"]));
    assert!(people.user("mia").removed.is_none());
}

#[test]
fn nobody_changes_what_they_may_do_themselves_and_an_administrator_stays() {
    let mut people = People::with(&[("ben", &["admin"])]);
    let own = "nobody changes what they may do themselves";
    people.refuses("ada", "ada", grants_set(&["admin", "approver"]), own);
    people.valid("ben", "ada", grants_set(&["admin", "approver"]));
    let gone = "nobody removes themselves: or nobody might keep the accounts";
    people.refuses("ada", "ada", UserRemoved { reason: "x".to_owned() }, gone);
    people.refuses("ada", "ada", code(&people), "nobody issues a code to themselves");
    let alone = LogPolicySet { self_approval: true, reason: "a small shop".to_owned() };
    people.alone("", alone);
    people.valid("ada", "ada", grants_set(&["admin", "operator"]));
    let keeps = "nobody takes the accounts out of their own hands: or nobody might keep them";
    people.refuses("ada", "ada", grants_set(&["operator"]), keeps);
}

#[test]
fn an_auditor_has_no_other_role_and_an_account_has_one_at_least() {
    let mut people = People::new();
    let only = "an auditor changes nothing: give them no other role";
    for other in ["operator", "author", "approver", "admin", "operator@folder/a"] {
        people.refuses("ada", "eve", provisioned(&["auditor", other]), only);
    }
    people.refuses("ada", "eve", provisioned(&[]), "an account has 1 to 50 grants");
    people.refuses("ada", "eve", provisioned(&["viewer"; 51]), "an account has 1 to 50 grants");
    people.valid("ada", "eve", provisioned(&["auditor", "viewer"]));
    people.refuses("ada", "eve", grants_set(&["auditor", "admin"]), only);
}

pub(crate) fn code(people: &People) -> UserCodeIssued {
    UserCodeIssued { code: Digest::of(b"code"), until: later(people.now, 3_600_000) }
}

#[test]
fn a_code_lets_in_once_and_a_password_after_that() {
    let mut people = People::with(&[("mia", &["operator"])]);
    let no_way = "they have no such way in";
    for by in [Entry::Code, Entry::Password] {
        people.refuses("mia", "mia", people.login(by, "s1"), no_way);
    }
    let late = UserCodeIssued { until: later(people.now, 8 * 24 * 3_600_000), ..code(&people) };
    people.refuses("ada", "mia", late, "a code lives for seven days at most");
    people.valid("ada", "mia", code(&people));
    people.refuses(
        "ada",
        "mia",
        people.login(Entry::Code, "s1"),
        "nobody comes in for somebody else",
    );
    people.valid("mia", "mia", people.login(Entry::Code, "s1"));
    people.refuses("mia", "mia", people.login(Entry::Code, "s2"), no_way);
    let password = UserPasswordSet { verifier: HASH.to_owned() };
    people.refuses("ada", "mia", password.clone(), "everybody sets their own password");
    let plain = UserPasswordSet { verifier: "secret".to_owned() };
    people.refuses("mia", "mia", plain, "a password is kept as argon2id makes it");
    people.valid("mia", "mia", password);
    people.refuses(
        "mia",
        "mia",
        people.login(Entry::Password, "s1"),
        "there is a session of that name",
    );
    people.valid("mia", "mia", people.login(Entry::Password, "s2"));
    // Whoever lost everything is let in by somebody at the console's own machine.
    people.alone("ada", code(&people));
    people.valid("ada", "ada", people.login(Entry::Code, "s1"));
    let over = code(&people);
    people.alone("ada", over);
    people.now = later(people.now, 3_600_000);
    people.refuses("ada", "ada", people.login(Entry::Code, "s2"), no_way);
}

#[test]
fn a_session_ends_when_they_leave_when_it_is_revoked_and_when_its_time_is_over() {
    let mut people = People::with(&[("mia", &["operator"]), ("bob", &["approver"])]);
    people.valid("mia", "mia", UserPasswordSet { verifier: HASH.to_owned() });
    let long = UserLoggedIn {
        until: later(people.now, 25 * 3_600_000),
        ..people.login(Entry::Password, "s1")
    };
    people.refuses("mia", "mia", long, "a session goes on for a day at most");
    for session in ["s1", "s2", "s3"] {
        people.valid("mia", "mia", people.login(Entry::Password, session));
    }
    let out = |session: &str, why| UserLoggedOut { session: session.to_owned(), why };
    people.valid("mia", "mia", out("s1", LogOut::Left));
    people.refuses("mia", "mia", out("s1", LogOut::Left), "there is no such session");
    let needs = "user/bob may not make, change and remove accounts: that needs the role admin";
    people.refuses("bob", "mia", out("s2", LogOut::Revoked), needs);
    people.valid("ada", "mia", out("s2", LogOut::Revoked));
    people.alone("mia", out("s3", LogOut::Idle));
    assert_eq!(people.user("mia").session("s1", people.now), None);
    people.valid("mia", "mia", people.login(Entry::Password, "s4"));
    let mia = people.user("mia");
    assert!(mia.session("s4", people.now).is_some());
    assert_eq!(mia.session("s4", later(people.now, 12 * 3_600_000)), None);
    people.valid("ada", "mia", UserRemoved { reason: "left".to_owned() });
    assert_eq!(people.user("mia").session("s4", people.now), None);
    people.refuses("mia", "mia", people.login(Entry::Password, "s5"), "there is no such user");
}

#[test]
fn a_token_has_a_name_an_end_and_an_owner() {
    let mut people = People::with(&[("mia", &["operator"]), ("bob", &["approver"])]);
    let program = UserProvisioned { program: true, ..provisioned(&["author"]) };
    people.valid("ada", "import", program);
    let token = |people: &People, name: &str| UserTokenCreated {
        name: name.to_owned(),
        token: Digest::of(name.as_bytes()),
        grants: vec![],
        until: later(people.now, 3_600_000),
    };
    let needs = "user/bob may not make, change and remove accounts: that needs the role admin";
    people.refuses("bob", "mia", token(&people, "t1"), needs);
    people.refuses("ada", "mia", token(&people, "t1"), "everybody makes their own tokens");
    people.refuses(
        "mia",
        "mia",
        token(&people, "T 1"),
        "a token has a name such as nightly-import",
    );
    let long =
        UserTokenCreated { until: later(people.now, 367 * 24 * 3_600_000), ..token(&people, "t1") };
    people.refuses("mia", "mia", long, "a token lives for a year at most");
    people.valid("mia", "mia", token(&people, "t1"));
    people.refuses("mia", "mia", token(&people, "t1"), "there is a token of that name");
    people.valid("ada", "import", token(&people, "t1"));
    people.refuses(
        "import",
        "import",
        people.login(Entry::Oidc, "s1"),
        "a program comes in by tokens",
    );
    let used = |day: &str| UserTokenUsed { name: "t1".to_owned(), day: day.parse().unwrap() };
    people.alone("import", used("2026-11-20"));
    assert_eq!(
        refused(&people.alone_says("import", used("2026-11-20"))),
        "the log knows that already"
    );
    let revoked = UserTokenRevoked { name: "t1".to_owned(), reason: "leaked".to_owned() };
    people.refuses("bob", "mia", revoked.clone(), needs);
    people.valid("ada", "mia", revoked.clone());
    people.refuses("mia", "mia", revoked, "there is no such token");
    assert_eq!(people.user("mia").token(&Digest::of(b"t1"), people.now), None);
    assert!(people.user("import").token(&Digest::of(b"t1"), people.now).is_some());
    assert!(
        people.user("import").token(&Digest::of(b"t1"), later(people.now, 3_600_000)).is_none()
    );
    for n in 0..20 {
        people.valid("mia", "mia", token(&people, &format!("n{n}")));
    }
    people.refuses("mia", "mia", token(&people, "n20"), "it has 20 tokens already: revoke one");
}

#[test]
fn denials_are_said_of_whoever_tried_and_failures_by_the_console() {
    let mut people = People::with(&[("mia", &["operator"]), ("bob", &["approver"])]);
    let denied = || UserDenied {
        action: Action::Approve,
        subject: Some(StreamId::job("pay")),
        reason: "no".to_owned(),
    };
    people.valid("mia", "mia", denied());
    people.refuses("bob", "mia", denied(), "it is said of whoever tried");
    people.alone("mia", UserLoginFailed { by: Entry::Password, times: 3 });
    assert_eq!(people.user("mia").failed, 3);
}

#[test]
fn everybody_keeps_their_own_searches_and_not_too_many() {
    let mut people = People::with(&[("mia", &["viewer"])]);
    let kept = |name: &str, query: Option<&str>| UserFilterSaved {
        name: name.to_owned(),
        query: query.map(str::to_owned),
    };
    let own = "everybody keeps their own searches";
    people.refuses("ada", "mia", kept("failed", Some("type=run.failed")), own);
    let long = "x".repeat(501);
    for query in ["", "two words", &long] {
        people.refuses("mia", "mia", kept("a", Some(query)), "a search has 1 to 500 bytes");
    }
    let named = "a search has a name such as failed-logins";
    people.refuses("mia", "mia", kept("A b", Some("type=x")), named);
    people.refuses("mia", "mia", kept("a", None), "there is no such search");
    for n in 0..20 {
        people.valid("mia", "mia", kept(&format!("n{n}"), Some("type=run.failed")));
    }
    let full = "it keeps 20 searches already: forget one";
    people.refuses("mia", "mia", kept("n20", Some("type=x")), full);
    people.valid("mia", "mia", kept("n19", Some("type=x")));
    people.valid("mia", "mia", kept("n0", None));
    let filters = people.user("mia").filters;
    assert_eq!((filters.len(), &*filters["n19"]), (19, "type=x"));
}

#[test]
fn what_an_account_may_not_the_recorder_refuses_whatever_the_console_says() {
    let accounts: [(&str, &[&str]); 5] = [
        ("mia", &["operator"]),
        ("amy", &["author"]),
        ("bob", &["approver"]),
        ("pia", &["author@folder/payroll"]),
        ("eu", &["author@pool/eu"]),
    ];
    let mut people = People::with(&accounts);
    let mut propose = |who: &str, name: &str, pool: &str| {
        let definition = domain::job::JobDefinition {
            name: name.to_owned(),
            pool: pool.to_owned(),
            ..definition(json!({}))
        };
        let number = 1;
        let digest = definition.digest().unwrap();
        let definition = serde_json::to_value(definition).unwrap();
        let reason = "because".to_owned();
        let proposed = domain::event::JobProposed { number, digest, definition, reason };
        let (job, actor) = (StreamId::job(name), format!("user/{who}"));
        let mark = people.world.say_by(&actor, job.clone(), proposed, people.now);
        (mark, number, digest, job)
    };
    let (mark, ..) = propose("mia", "pay", "default");
    assert_eq!(
        refused(&mark),
        "user/mia may not propose, withdraw and retire definitions: that needs the role author"
    );
    assert!(
        refused(&propose("pia", "pay", "default").0).ends_with("here, but only for folder/payroll")
    );
    assert_eq!(propose("pia", "payroll.pay", "default").0, Mark::Valid);
    assert!(refused(&propose("eu", "pay", "us").0).ends_with("here, but only for pool/eu"));
    assert_eq!(propose("eu", "in-eu", "eu").0, Mark::Valid);
    let (mark, number, digest, job) = propose("amy", "pay", "default");
    assert_eq!(mark, Mark::Valid);
    let approved = || domain::event::JobApproved { number, digest };
    let mut approve = |who: &str| {
        people.world.say_by(&format!("user/{who}"), job.clone(), approved(), people.now)
    };
    assert!(refused(&approve("amy")).contains("needs the role approver"));
    assert!(refused(&approve("ada")).contains("needs the role approver"), "admin is not exempt");
    assert_eq!(approve("bob"), Mark::Valid);
}

#[test]
fn nobody_approves_their_own_change_with_whatever_roles_they_have() {
    let mut people = People::with(&[("mia", &["author", "approver", "admin", "operator"])]);
    let definition = definition(json!({}));
    let digest = definition.digest().unwrap();
    let definition = serde_json::to_value(&definition).unwrap();
    let job = StreamId::job("pay");
    let reason = "because".to_owned();
    let proposed = domain::event::JobProposed { number: 1, digest, definition, reason };
    let now = people.now;
    assert_eq!(people.world.say_by("user/mia", job.clone(), proposed, now), Mark::Valid);
    let approved = domain::event::JobApproved { number: 1, digest };
    let mark = people.world.say_by("user/mia", job, approved, now);
    assert_eq!(refused(&mark), "nobody approves their own change");
}

#[test]
fn an_account_of_the_first_kind_may_what_it_could() {
    let now = at("08:00");
    let mut world = World::new(now);
    let created = UserCreated { roles: vec![Role::Operator, Role::Approver, Role::Auditor] };
    assert_eq!(world.say_next("console/c1", account("admin"), created, now), Mark::Valid);
    let token = UserTokenIssued { token: Digest::of(b"t") };
    assert_eq!(world.say_next("console/c1", account("admin"), token, now), Mark::Valid);
    let required = LogAccountsRequired { reason: "a new version".to_owned() };
    let log = StreamId::log("main");
    assert_eq!(world.say_next("console/c1", log.clone(), required.clone(), now), Mark::Valid);
    let again = world.say_next("console/c1", log, required, now);
    assert_eq!(refused(&again), "accounts are required already");
    let user = world.streams.get(&account("admin")).unwrap().body.user().unwrap().clone();
    let grants: Vec<String> = user.grants.iter().map(Grant::to_string).collect();
    assert_eq!(grants, ["operator", "approver", "author", "admin"]);
    assert!(user.token(&Digest::of(b"t"), now).is_some());
    let more = UserTokenIssued { token: Digest::of(b"u") };
    let mark = world.say_next("console/c1", account("admin"), more, now);
    assert_eq!(refused(&mark), "a token is created, and ends");
}

/// Whatever a console may state has an action, or is what it says by itself.
#[test]
fn each_kind_that_a_console_states_is_somebodys_act_or_its_own() {
    let own = [
        "log.policy-set",
        "log.accounts-required",
        "log.confirmations-required",
        "log.journal-cut",
        "log.contradicted",
        "log.directory-set",
        "user.created",
        "user.token-issued",
        "user.directory-said",
        "user.password-set",
        "user.token-created",
        "user.token-revoked",
        "user.token-used",
        "user.logged-in",
        "user.logged-out",
        "user.login-failed",
        "user.filter-saved",
        "user.denied",
    ];
    for (kind, _) in Event::kinds() {
        let event = golden(kind);
        let console = domain::ledger::may_state(&event).contains(&domain::ids::Class::Console);
        if console {
            assert_eq!(action_of(&event).is_none(), own.contains(&kind), "{kind}");
        }
    }
}
