//! How far somebody's leave reaches, and that it ends at once.

use serde_json::{Value, json};

use super::http::{Answer, Http};
use super::{JOBS, Person, events, for_two, new_token, of_kind, provision, stop_and_verify};
use crate::programs::Up;

fn site(dir: &tempfile::TempDir) -> (Up, Person) {
    let jobs = dir.path().join("jobs.yaml");
    let pools = "kind: pool\nname: eu\n---\nkind: pool\nname: us\n---\n";
    let in_pools = "---\nname: far\npool: eu\ncommand: { argv: [/bin/true] }\n";
    std::fs::write(&jobs, format!("{pools}{JOBS}{in_pools}")).unwrap();
    let up = for_two(&dir.path().join("data"), &[&jobs], |_| {});
    let admin = Person::first(&up);
    (up, admin)
}

fn act(who: &Http, name: &str, act: Value) -> Answer {
    let body = json!({"act": act, "reason": "the test says so"});
    who.post(&format!("/api/v1/users/{name}/acts"), &body)
}

#[test]
fn a_removed_account_is_out_at_once_with_all_its_sessions_and_tokens_and_stays_out_when_it_comes_back()
 {
    let dir = tempfile::tempdir().unwrap();
    let (up, admin) = site(&dir);
    let mia = Person::with(&up, &admin, "mia", &["operator"]);
    let other = mia.another_session(&up);
    let word = mia.session.get("/account").is(200).word();
    for who in [&mia.token, &mia.session, &other] {
        who.get("/api/v1/me").is(200);
    }
    act(&admin.token, "mia", json!({"act": "remove"})).is(200);
    let out = || {
        for who in [&mia.token, &mia.session, &other] {
            who.get("/api/v1/me").is(401);
            who.post("/api/v1/jobs/pay.export/runs", &json!({"reason": "once more"})).is(401);
        }
        let page = mia.session.get("/account").is(303);
        assert_eq!(page.header("location"), "/login?next=%2Faccount");
        let fields = [("word", &*word), ("password", "another horse battery staple")];
        mia.session.form("/account/password", &fields).is(303);
        let fields = [("name", "mia"), ("password", &*mia.password)];
        Http::browser(&up, "").form("/login", &fields).is(403);
    };
    out();
    let shown = up.call(&["user", "show", "mia", "-o", "json"]).ended(0).json();
    assert_eq!(
        (&shown["state"], &shown["tokens"], &shown["sessions"]),
        (&"removed".into(), &json!([]), &json!([]))
    );
    provision(&admin, "mia", &["viewer"], false);
    out();
    act(&admin.token, "admin", json!({"act": "remove"})).is(409);
    stop_and_verify(up);
}

#[test]
fn a_revoked_token_and_an_ended_session_are_out_at_once_and_the_others_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let (up, admin) = site(&dir);
    let mia = Person::with(&up, &admin, "mia", &["operator"]);
    let eve = Person::with(&up, &admin, "eve", &["operator"]);
    let second = new_token(&mia.session, "mia", &json!({"name": "second", "days": 1}));
    let second = Http::token(&up, &second);
    second.get("/api/v1/me").is(200);
    let revoke = json!({"act": "revoke-token", "name": "scripts"});
    let denied = act(&eve.token, "mia", revoke.clone()).is(403).detail();
    assert!(denied.starts_with("user/eve may not make, change and remove accounts"), "{denied}");
    act(&mia.session, "mia", revoke).is(200);
    let over = mia.token.get("/api/v1/me").is(401).detail();
    assert!(over.contains("revoked or has ended"), "{over}");
    second.get("/api/v1/me").is(200);

    let other = mia.another_session(&up);
    let shown = up.call(&["user", "show", "mia", "-o", "json"]).ended(0).json();
    let sessions = shown["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 2, "the one by the code ended with the first password: {shown}");
    let newest = sessions[1]["name"].as_str().unwrap();
    up.call(&["user", "end-session", "mia", newest, "--reason", "a lost laptop"]).ended(0);
    other.get("/api/v1/me").is(401);
    mia.session.get("/api/v1/me").is(200);
    let word = mia.session.get("/account").is(200).word();
    let left = mia.session.form("/logout", &[("word", &word)]).is(303);
    assert!(left.header("set-cookie").contains("Max-Age=0"), "{left:?}");
    mia.session.get("/api/v1/me").is(401);

    for days in [0, 367] {
        let wanted = json!({"name": "odd", "days": days});
        let refused = second.post("/api/v1/users/mia/tokens", &wanted).is(409).detail();
        assert!(refused.contains("a token lives for a year at most"), "{refused}");
    }
    let token =
        &up.call(&["user", "token", "list", "--user", "mia", "-o", "json"]).ended(0).json()[0];
    let instant = |name: &str| token[name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let lives = instant("until").duration_since(instant("created"));
    assert!((lives.as_secs() - 24 * 3_600).abs() < 60, "{token}");
    stop_and_verify(up);
}

#[test]
fn a_grant_of_a_folder_or_a_pool_reaches_no_further_and_a_token_not_as_far() {
    let dir = tempfile::tempdir().unwrap();
    let (up, admin) = site(&dir);
    let pay = Person::with(&up, &admin, "pay", &["operator@folder/pay", "author@folder/pay"]);
    let eu = Person::with(&up, &admin, "eu", &["operator@pool/eu", "author@pool/eu"]);
    let all = Person::with(&up, &admin, "all", &["operator"]);
    let narrow = json!({"name": "narrow", "grants": ["operator@folder/pay"]});
    let narrow = Http::token(&up, &new_token(&all.session, "all", &narrow));
    let resume = |who: &Http, job: &str| {
        who.post(&format!("/api/v1/jobs/{job}/resume"), &json!({"reason": "a try"})).status
    };
    for (who, may) in [
        (&pay.token, ["pay.export", "", ""]),
        (&eu.token, ["", "", "far"]),
        (&narrow, ["pay.export", "", ""]),
        (&all.token, ["pay.export", "stock.count", "far"]),
    ] {
        for (job, may) in ["pay.export", "stock.count", "far"].into_iter().zip(may) {
            // Nothing is paused: whoever may is told that.
            assert_eq!(resume(who, job), if job == may { 409 } else { 403 }, "{job}");
        }
    }
    let propose = |who: &Http, name: &str, pool: &str| {
        let job = json!({"name": name, "pool": pool, "command": {"argv": ["/bin/false"]}});
        let body = json!({"definition": job, "reason": "a try"});
        who.post("/api/v1/jobs", &body)
    };
    let check = |name: &str| {
        let job = json!({"name": name, "command": {"argv": ["/bin/false"]}});
        pay.token.post("/api/v1/check", &json!({"definition": job}))
    };
    check("pay.new").is(200);
    check("stock.new").is(403);
    propose(&pay.token, "pay.new", "us").is(200);
    let denied = propose(&pay.token, "stock.new", "us").is(403).detail();
    assert!(denied.ends_with("here, but only for folder/pay"), "{denied}");
    propose(&eu.token, "far", "eu").is(200);
    let denied = propose(&eu.token, "far", "us");
    assert!(denied.status == 403 && denied.detail().contains("only for pool/eu"), "{denied:?}");
    propose(&eu.token, "new", "eu").is(200);
    propose(&eu.token, "new-too", "us").is(403);

    let run = |job: &str| {
        let asked = up.call(&["run", job, "--reason", "to read it", "-o", "json"]).ended(0).json();
        let run = asked["stream"].as_str().unwrap().to_owned();
        crate::prints::ended(&up, &run);
        format!("/api/v1/runs/{}/output", run.trim_start_matches("run/"))
    };
    let (own, other) = (run("pay.export"), run("stock.count"));
    for who in [&pay.token, &narrow] {
        assert_eq!(who.get(&own).is(200).text, "hello\n");
        who.get(&other).is(403);
    }
    // A narrow token is no way to a wide one, nor to the accounts.
    narrow.post("/api/v1/users/all/tokens", &json!({"name": "wide"})).is(403);
    let keeper = json!({"name": "looks", "grants": ["viewer"]});
    let keeper = Http::token(&up, &new_token(&admin.session, "admin", &keeper));
    keeper.get("/api/v1/users").is(200);
    act(&keeper, "all", json!({"act": "remove"})).is(403);
    act(&keeper, "all", json!({"act": "revoke-token", "name": "narrow"})).is(403);
    keeper.post("/api/v1/users/all/code", &json!({})).is(403);
    stop_and_verify(up);
}

#[test]
fn nobody_makes_more_of_their_own_account_and_there_is_always_one_who_keeps_the_accounts() {
    let dir = tempfile::tempdir().unwrap();
    let (up, admin) = site(&dir);
    let mia = Person::with(&up, &admin, "mia", &["operator"]);
    let two = Person::with(&up, &admin, "two", &["admin"]);
    let grants = |grants: &[&str]| json!({"act": "set-grants", "grants": grants});
    act(&mia.token, "mia", grants(&["operator", "approver"])).is(403);
    let refused = act(&two.token, "two", grants(&["admin", "approver"])).is(409).detail();
    assert_eq!(refused, "refused: nobody changes what they may do themselves");
    act(&two.token, "two", json!({"act": "remove"})).is(409);
    two.token.post("/api/v1/users/two/code", &json!({})).is(409);
    two.token.post("/api/v1/users/mia/tokens", &json!({"name": "theirs"})).is(409);
    let refused = act(&two.token, "mia", grants(&["auditor", "operator"])).is(409).detail();
    assert!(refused.contains("an auditor changes nothing"), "{refused}");
    act(&two.token, "mia", grants(&["approver"])).is(200);
    mia.token.post("/api/v1/jobs/pay.export/runs", &json!({"reason": "a try"})).is(403);
    let all = events(&up, Some("user/mia"));
    let set = of_kind(&all, "user.grants-set");
    assert_eq!((set.len(), &set[0]["actor"]), (1, &"user/two".into()));
    stop_and_verify(up);
}
