//! What every page has, and none.

use serde_json::json;

use super::http::{Answer, Http};
use super::{Person, for_two, provision, stop_and_verify};

/// What a page must not hold: what runs or looks by a word of its own.
fn check(answer: &Answer, what: &str) {
    let policy = answer.header("content-security-policy");
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(part), "{what}: {policy}");
    }
    assert!(!policy.contains("unsafe"), "{what}: {policy}");
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(answer.header(name), value, "{what}: {name}");
    }
    let text = answer.text.to_lowercase();
    for word in ["<style", " style=", "javascript:", "<script>", "http://", "https://"] {
        assert!(!text.contains(word), "{what} holds {word}");
    }
    for tag in text.split('<').skip(1).filter_map(|rest| rest.split('>').next()) {
        let handler = tag.split_whitespace().skip(1).any(|word| word.starts_with("on"));
        assert!(!handler, "{what}: <{tag}>");
        assert!(!tag.starts_with("script") || tag.contains(" src=\"/assets/"), "{what}: <{tag}>");
    }
}

#[test]
fn every_page_has_the_headers_that_keep_it_ours_and_none_has_a_script_or_a_style_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let up = for_two(&dir.path().join("data"), &[], |_| {});
    let admin = Person::first(&up);
    let nobody = Http::nobody(&up);
    // A name cannot hold markup, and a reason can.
    let act = json!({"act": "provision", "grants": ["viewer"]});
    let odd = json!({"act": act, "reason": "<script>alert(1)</script>"});
    admin.token.post("/api/v1/users/odd/acts", &odd).is(200);
    provision(&admin, "robot", &["operator@folder/pay"], true);
    for path in [
        "/people",
        "/people/roles",
        "/people/review",
        "/people/odd",
        "/people/robot",
        "/people/nobody",
        "/account",
        "/site",
        "/controls",
        "/controls/JS-01",
    ] {
        check(&admin.session.get(path), path);
        let away = nobody.get(path).is(303);
        assert!(away.header("location").starts_with("/login?next="), "{path}: {away:?}");
        check(&away, path);
    }
    for path in ["/login", "/login?code=", "/login?name=%3Cscript%3E&next=%3Cstyle%3E"] {
        check(&nobody.get(path).is(200), path);
    }
    check(
        &Http::browser(&up, "").form("/login", &[("name", "x"), ("password", "y")]).is(403),
        "no",
    );
    check(&admin.session.form("/people", &[("name", "x")]).is(403), "no word");
    let page = admin.session.get("/account").is(200);
    for file in page.text.split('"').filter(|part| part.starts_with("/assets/")) {
        let answer = nobody.get(file).is(200);
        assert!(answer.header("cache-control").contains("immutable"), "{file}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{file}");
    }
    stop_and_verify(up);
}
