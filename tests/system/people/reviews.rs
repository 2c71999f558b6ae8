//! The access review: who signs for who may do what, and for which of it.

use serde_json::{Value, json};

use super::http::Http;
use super::{Person, events, for_two, of_kind, provision, stop_and_verify};
use crate::programs::{Up, decklog, run};

const PATH: &str = "/api/v1/access-review";

/// What somebody is shown.
fn shown(who: &Http) -> Value {
    who.get(PATH).is(200).json()
}

/// A signature under that.
fn signature(shown: &Value) -> Value {
    json!({"until": shown["until"], "shown": shown["shown"], "statement": "all of them are needed"})
}

fn names<'a>(shown: &'a Value, list: &str) -> Vec<&'a str> {
    let all = shown[list].as_array().unwrap().iter();
    all.map(|one| one["name"].as_str().unwrap()).collect()
}

#[test]
fn who_may_do_what_is_signed_by_somebody_who_does_not_keep_the_accounts_and_only_as_it_was_shown() {
    let dir = tempfile::tempdir().unwrap();
    let up = for_two(&dir.path().join("data"), &[], |_| {});
    let admin = Person::first(&up);
    let bob = Person::with(&up, &admin, "bob", &["approver"]);
    provision(&admin, "leaves", &["operator"], false);
    provision(&admin, "import", &["operator@folder/pay"], true);
    let first = shown(&bob.token);
    assert_eq!(names(&first, "accounts"), ["admin", "bob", "import", "leaves"]);
    assert_eq!(
        (&first["accounts"][2]["program"], &first["may-sign"]),
        (&true.into(), &true.into())
    );
    assert_eq!(shown(&admin.token)["may-sign"], false);

    let own = admin.token.post(PATH, &signature(&shown(&admin.token))).is(409).detail();
    assert!(own.contains("whoever keeps the accounts does not sign for them"), "{own}");
    let other = json!({"until": first["until"], "shown": "0".repeat(64)});
    let other = bob.token.post(PATH, &other).is(409).detail();
    assert_eq!(other, "refused: something changed since that was shown: look again");
    let act = |name: &str, act: Value| {
        let body = json!({"act": act, "reason": "a test says so"});
        admin.token.post(&format!("/api/v1/users/{name}/acts"), &body).is(200);
    };
    act("import", json!({"act": "set-grants", "grants": ["operator"]}));
    let other = bob.token.post(PATH, &signature(&first)).is(409).detail();
    assert!(other.contains("something changed"), "{other}");
    bob.token.post(PATH, &signature(&shown(&bob.token))).is(200);

    act("leaves", json!({"act": "remove"}));
    act("bob", json!({"act": "set-grants", "grants": ["approver", "operator"]}));
    let next = shown(&bob.token);
    assert_eq!(next["signed"]["by"], "user/bob");
    assert_eq!(next["since"], next["signed"]["what"]["until"], "no change is left out");
    assert_eq!((names(&next, "removed"), next["overdue"].clone()), (vec!["leaves"], false.into()));
    assert!(names(&next, "changed").contains(&"bob"), "{next}");
    assert_eq!(next["changed"].as_array().unwrap().last().unwrap()["by"], "user/admin");
    let all = events(&up, Some("review/access"));
    let signed = of_kind(&all, "review.access-signed");
    assert_eq!((signed.len(), &signed[0]["actor"]), (1, &"user/bob".into()));
    assert_eq!((&signed[0]["data"]["accounts"], &signed[0]["version"]), (&4.into(), &1.into()));
    stop_and_verify(up);
}

#[test]
fn the_page_of_the_access_review_offers_to_sign_it_to_those_who_may_and_says_what_became_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let up = for_two(&dir.path().join("data"), &[], |_| {});
    let admin = Person::first(&up);
    let bob = Person::with(&up, &admin, "bob", &["approver"]);
    provision(&admin, "viewer", &["viewer"], false);
    let page = admin.session.get("/people/review").is(200).text;
    assert!(page.contains("You keep the accounts: somebody else signs"), "{page}");
    assert!(!page.contains("Sign the access review"), "{page}");
    assert!(admin.session.get("/people").is(200).text.contains("href=\"/people/review\""));
    let page = bob.session.get("/people/review").is(200);
    assert!(page.text.contains("Nobody has signed for this yet"), "{}", page.text);
    let field = |name: &str| {
        let start = format!("name=\"{name}\" value=\"");
        let rest = page.text.split_once(&start).unwrap().1;
        rest.split('"').next().unwrap().to_owned()
    };
    let (word, until, shown) = (page.word(), field("until"), field("shown"));
    let sign = |shown: &str| {
        let fields =
            [("word", &*word), ("until", &*until), ("shown", shown), ("statement", "as needed")];
        bob.session.form("/people/review", &fields)
    };
    assert!(sign("another").is(409).text.contains("something changed since that was shown"));
    assert!(sign(&shown).is(303).header("location").starts_with("/people/review"));
    let page = bob.session.get("/people/review").is(200).text;
    assert!(page.contains("was signed by user/bob") && page.contains("as needed"), "{page}");
    assert!(!admin.session.get("/night").is(200).text.contains("/people/review"));
    stop_and_verify(up);
}

/// The same commands with somebody's token.
fn with_token(up: &Up, token: &str, words: &[&str]) -> crate::programs::Said {
    let file = up.data.with_extension("token");
    std::fs::write(&file, token).unwrap();
    run(decklog(words).args(["--server", &up.server, "--token-file"]).arg(&file))
}

#[test]
fn an_access_review_is_shown_and_signed_from_the_command_line() {
    let dir = tempfile::tempdir().unwrap();
    let up = for_two(&dir.path().join("data"), &[], |_| {});
    let admin = Person::first(&up);
    let bob = Person::with(&up, &admin, "bob", &["approver"]);
    let token = super::new_token(&bob.session, "bob", &json!({"name": "shell"}));
    let seen = up.call(&["user", "review"]).ended(0).out;
    assert!(seen.contains("somebody else signs for this"), "{seen}");
    let own = up.call(&["user", "review", "--sign"]).ended(5);
    assert!(own.err.contains("whoever keeps the accounts does not sign"), "{}", own.err);
    up.call(&["user", "review", "--statement", "x"]).ended(2);
    let seen = with_token(&up, &token, &["user", "review"]).ended(0).out;
    let how = seen.lines().last().unwrap().strip_prefix("to sign for this: decklog ").unwrap();
    let how: Vec<&str> = how.split(' ').collect();
    provision(&admin, "zoe", &["viewer"], false);
    let old = with_token(&up, &token, &how).ended(5);
    assert!(old.err.contains("something changed since that was shown"), "{}", old.err);
    let sign = ["user", "review", "--sign", "--statement", "all are needed"];
    let signed = with_token(&up, &token, &sign).ended(0).out;
    assert!(signed.starts_with("signed: who may do what until "), "{signed}");
    up.call(&["user", "remove", "zoe", "--reason", "left"]).ended(0);
    let seen = up.call(&["user", "review"]).ended(0).out;
    assert!(seen.contains("removed  zoe at "), "{seen}");
    stop_and_verify(up);
}
