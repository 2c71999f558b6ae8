//! Coming in, and what is done to those who should not.

use serde_json::{Value, json};

use super::http::{Answer, Http};
use super::{Person, events, for_two, of_kind, stop_and_verify};
use crate::programs::Up;

fn site(dir: &tempfile::TempDir) -> (Up, Person) {
    let up = for_two(&dir.path().join("data"), &[], |_| {});
    let admin = Person::first(&up);
    (up, admin)
}

fn try_password(up: &Up, name: &str, password: &str) -> Answer {
    Http::browser(up, "").form("/login", &[("name", name), ("password", password)])
}

#[test]
fn a_wrong_password_and_a_name_that_nobody_has_are_answered_alike_and_repeated_tries_have_to_wait()
{
    let dir = tempfile::tempdir().unwrap();
    let (up, admin) = site(&dir);
    let mia = Person::with(&up, &admin, "mia", &["viewer"]);
    let known = try_password(&up, "mia", "not the password at all").is(403);
    let unknown = try_password(&up, "nia", "not the password at all").is(403);
    assert_eq!(known.text, unknown.text.replace("value=\"nia\"", "value=\"mia\""));
    let by_code =
        Http::browser(&up, "").form("/login", &[("name", "mia"), ("code", "abcde-abcde")]);
    assert!(by_code.is(403).text.contains("do not let anybody in"));
    let mut waits = Vec::new();
    for name in ["mia", "nia"] {
        let answers: Vec<u16> =
            (0..4).map(|_| try_password(&up, name, "not the password at all").status).collect();
        waits.push(answers.contains(&429));
    }
    assert_eq!(waits, [true, true]);
    let right = try_password(&up, "mia", &mia.password).is(429);
    assert!(right.text.contains("too many tries: wait"), "{}", right.text);
    mia.session.get("/api/v1/me").is(200);
    let all = events(&up, None);
    let failed = of_kind(&all, "user.login-failed");
    assert_eq!(
        failed.len(),
        1,
        "the first of a row, and none of a name that nobody has: {failed:?}"
    );
    assert!(!up.call(&["events", "-o", "json"]).ended(0).out.contains("nia"));
    stop_and_verify(up);
}

#[test]
fn a_code_lets_one_person_in_once_and_a_newer_one_takes_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let (up, admin) = site(&dir);
    super::provision(&admin, "mia", &["viewer"], false);
    let issue = || {
        let once = admin.token.post("/api/v1/users/mia/code", &json!({})).is(200).json();
        once["secret"].as_str().unwrap().to_owned()
    };
    let enter =
        |code: &str| Http::browser(&up, "").form("/login", &[("name", "mia"), ("code", code)]);
    let (old, new) = (issue(), issue());
    enter(&old).is(403);
    let page = Http::nobody(&up).get(&format!("/login?name=mia&code={new}")).is(200);
    assert!(page.text.contains(&new), "the address fills the form");
    let came = enter(&new.to_uppercase().replace('-', " ")).is(303);
    enter(&new).is(403);
    let me = Http::browser(&up, &came.cookie()).get("/api/v1/me").is(200).json();
    assert_eq!(me["via"].as_str().unwrap().split('/').next(), Some("session"));
    let log = up.call(&["events", "-o", "json"]).ended(0).out;
    for secret in [&new, &admin.password] {
        assert!(!log.contains(secret.as_str()), "{secret} stands in the log");
    }
    stop_and_verify(up);
}

#[test]
fn a_password_is_long_and_another_one_ends_the_other_sessions() {
    let dir = tempfile::tempdir().unwrap();
    let (up, admin) = site(&dir);
    let mia = Person::with(&up, &admin, "mia", &["viewer"]);
    let other = mia.another_session(&up);
    let word = mia.session.get("/account").is(200).word();
    let set = |password: &str| {
        let fields = [("word", &*word), ("old", &*mia.password), ("password", password)];
        mia.session.form("/account/password", &fields)
    };
    for bad in ["too short", "mia is my name and I know it", "aaaaaaaaaaaaaaaaaaaa"] {
        set(bad).is(400);
    }
    let set = set("another horse battery staple").is(303);
    other.get("/api/v1/me").is(401);
    mia.session.get("/api/v1/me").is(401);
    Http::browser(&up, &set.cookie()).get("/api/v1/me").is(200);
    try_password(&up, "mia", &mia.password).is(403);
    try_password(&up, "mia", "another horse battery staple").is(303);
    stop_and_verify(up);
}

#[test]
fn whoever_sets_another_password_knows_the_old_one_and_guesses_it_no_oftener_than_at_the_door() {
    let dir = tempfile::tempdir().unwrap();
    let (up, admin) = site(&dir);
    let mia = Person::with(&up, &admin, "mia", &["viewer"]);
    let page = mia.session.get("/account").is(200);
    assert!(page.text.contains("name=\"old\""), "{}", page.text);
    let word = page.word();
    let wanted = "another horse battery staple";
    let by_page = |old: &[(&str, &str)]| {
        let fields = [&[("word", &*word), ("password", wanted)], old].concat();
        mia.session.form("/account/password", &fields)
    };
    let by_api = |who: &Http, body: &Value| who.post("/api/v1/me/password", body);
    by_page(&[]).is(400);
    let refused = by_api(&mia.token, &json!({"password": wanted})).is(400).detail();
    assert_eq!(refused, "the old password is missing");
    let wrong = by_page(&[("old", "not the password at all")]).is(403);
    assert!(wrong.text.contains("that is not the old password"), "{}", wrong.text);
    by_api(&mia.session, &json!({"old": "not it either", "password": wanted})).is(403);
    by_api(&mia.token, &json!({"old": "nor this one", "password": wanted})).is(403);
    // The fourth has to wait afterwards, whichever way it comes and however right it is.
    by_page(&[("old", "not the password at all")]).is(403);
    by_page(&[("old", &mia.password)]).is(429);
    by_api(&mia.token, &json!({"old": mia.password, "password": wanted})).is(429);
    try_password(&up, "mia", &mia.password).is(429);
    mia.session.get("/api/v1/me").is(200);
    let all = events(&up, Some("user/mia"));
    assert_eq!(of_kind(&all, "user.login-failed").len(), 1, "the first of a row");
    assert_eq!(of_kind(&all, "user.password-set").len(), 1, "the one that came by the code");

    let nia = Person::with(&up, &admin, "nia", &["viewer"]);
    by_api(&nia.token, &json!({"old": nia.password, "password": wanted})).is(200);
    nia.session.get("/api/v1/me").is(401);
    nia.token.get("/api/v1/me").is(200);
    try_password(&up, "nia", &nia.password).is(403);
    try_password(&up, "nia", wanted).is(303);
    let once = admin.token.post("/api/v1/users/nia/code", &json!({})).is(200).json();
    super::come_in(&up, "nia", once["secret"].as_str().unwrap());
    stop_and_verify(up);
}

#[test]
fn a_cookie_is_for_our_own_pages_and_a_form_carries_the_word_of_its_session() {
    let dir = tempfile::tempdir().unwrap();
    let (up, admin) = site(&dir);
    let mia = Person::with(&up, &admin, "mia", &["operator"]);
    let came = try_password(&up, "mia", &mia.password).is(303);
    let cookie = came.header("set-cookie");
    for part in ["; HttpOnly", "; SameSite=Strict", "; Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let word = mia.session.get("/account").is(200).word();
    let foreign = admin.session.get("/account").is(200).word();
    let make =
        |word: &str| mia.session.form("/account/tokens", &[("word", word), ("name", "mine")]);
    make("").is(403);
    make(&foreign).is(403);
    make(&word).is(200);
    let elsewhere = |site: &str| mia.session.but("sec-fetch-site", site);
    let login = [("name", "mia"), ("password", &*mia.password)];
    for site in ["cross-site", "same-site", "none"] {
        elsewhere(site).without("cookie").form("/login", &login).is(403);
        let refused = elsewhere(site).post("/api/v1/users/mia/tokens", &json!({"name": "theirs"}));
        assert!(refused.is(403).detail().contains("another site's page"));
    }
    let silent = mia.session.without("sec-fetch-site");
    silent.post("/api/v1/users/mia/tokens", &json!({"name": "theirs"})).is(403);
    silent.form("/login", &login).is(403);
    silent
        .but("origin", "http://evil.example")
        .post("/api/v1/users/mia/tokens", &json!({"name": "theirs"}))
        .is(403);
    let by_tls = up.server.replace("http://", "https://");
    silent
        .but("origin", &by_tls)
        .post("/api/v1/users/mia/tokens", &json!({"name": "theirs"}))
        .is(403);
    silent
        .but("origin", &up.server)
        .post("/api/v1/users/mia/tokens", &json!({"name": "ours"}))
        .is(200);
    silent.get("/api/v1/me").is(200);
    let (head, seal) =
        came.cookie().rsplit_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let forged = format!("{}.{seal}", head.replace(".mia.", ".admin."));
    Http::browser(&up, &forged).get("/api/v1/me").is(401);
    stop_and_verify(up);
}

#[test]
fn a_form_that_another_sites_page_sends_is_refused_even_with_the_word() {
    let dir = tempfile::tempdir().unwrap();
    let (up, admin) = site(&dir);
    let word = admin.session.get("/account").is(200).word();
    let fields = [("word", &*word), ("name", "mine")];
    admin.session.but("sec-fetch-site", "cross-site").form("/account/tokens", &fields).is(403);
    admin.session.form("/account/tokens", &fields).is(200);
    stop_and_verify(up);
}
