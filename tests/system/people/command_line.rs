//! `decklog user …`.

use serde_json::json;

use super::{Person, events, for_two, of_kind};
use crate::programs::{Said, Up, call, decklog, run};

/// Says something to a console with a token.
fn with_token(up: &Up, token: &str, words: &[&str]) -> Said {
    let file = up.data.with_extension("token");
    std::fs::write(&file, token).unwrap();
    let mut command = decklog(words);
    run(command.args(["--server", &up.server, "--token-file"]).arg(&file))
}

/// The one line of standard output.
#[track_caller]
fn secret(said: &Said) -> String {
    let line = said.out.strip_suffix('\n').unwrap();
    assert!(!line.contains(['\n', ' ']) && !said.err.contains(line), "{said:?}");
    line.to_owned()
}

#[test]
fn accounts_are_made_shown_changed_and_removed_from_the_command_line() {
    let dir = tempfile::tempdir().unwrap();
    let up = for_two(&dir.path().join("data"), &[], |_| {});
    let grants = ["--grant", "operator", "--grant", "author@folder/payroll"];
    let added = [&["user", "add", "mia", "--reason", "the night shift"], &grants[..]].concat();
    let added = up.call(&added).ended(0);
    let code = secret(&added);
    let login = format!("{}/login?name=mia&code=", up.server);
    assert!(added.err.contains("user/mia: provisioned") && added.err.contains(&login), "{added:?}");
    let (_, session) = super::come_in(&up, "mia", &code);
    session.get("/api/v1/me").is(200);
    let listed = up.call(&["user", "list"]).ended(0).out;
    assert!(listed.lines().next().unwrap().starts_with("ACCOUNT"), "{listed}");
    assert!(listed.contains("operator, author@folder/payroll"), "{listed}");
    let shown = up.call(&["user", "show", "mia"]).ended(0).out;
    assert!(shown.contains("state     active") && shown.contains("password  set"), "{shown}");
    let fewer = ["user", "grant", "mia", "viewer", "auditor", "--reason", "she looks"];
    assert_eq!(up.call(&fewer).ended(0).out, "user/mia: may do that, and nothing else\n");
    up.call(&fewer).ended(5);
    let code = secret(&up.call(&["user", "code", "mia"]).ended(0));
    assert_eq!(code.len(), 23, "{code}");
    up.call(&["user", "remove", "mia", "--reason", "she left"]).ended(0);
    assert!(up.call(&["user", "show", "mia"]).ended(0).out.contains("state     removed"));
    up.call(&["user", "show", "nobody"]).ended(3);
    up.call(&["user", "add", "x", "--grant", "king", "--reason", "no such role"]).ended(2);
    up.call(&["user", "code", "mia"]).ended(5);
    let lines = run(&mut decklog(["user", "roles"])).ended(0).out;
    assert_eq!(lines.lines().count(), 33, "{lines}");
    up.stop();
    let listed = call(&dir.path().join("data"), &["user", "list", "-o", "json"]).ended(0).json();
    assert_eq!((&listed[0]["name"], &listed[1]["state"]), (&"admin".into(), &"removed".into()));
    call(&dir.path().join("data"), &["verify"]).ended(0);
}

#[test]
fn a_token_is_printed_once_and_who_may_not_is_told_by_the_exit_code() {
    let dir = tempfile::tempdir().unwrap();
    let up = for_two(&dir.path().join("data"), &[], |_| {});
    let added = ["user", "add", "import", "--program", "--grant", "viewer", "--reason", "nightly"];
    let added = up.call(&added).ended(0);
    assert_eq!((added.out.as_str(), added.err.as_str()), ("", "user/import: provisioned\n"));
    let make = ["user", "token", "create", "nightly", "--user", "import", "--days", "30"];
    let token = secret(&up.call(&make).ended(0));
    let me = with_token(&up, &token, &["user", "whoami", "-o", "json"]).ended(0).json();
    assert_eq!((&me["user"]["name"], &me["via"]), (&"import".into(), &"token/nightly".into()));
    assert_eq!(me["may"], json!(["view", "own-account"]));
    let denied =
        with_token(&up, &token, &["user", "remove", "admin", "--reason", "why not"]).ended(4);
    assert!(denied.err.contains("needs a person's name"), "{}", denied.err);
    let denied = with_token(&up, &token, &["host", "drain", "x", "--reason", "why not"]).ended(4);
    assert!(denied.err.contains("drain hosts"), "{}", denied.err);
    let listed = up.call(&["user", "token", "list"]).ended(0).out;
    assert!(listed.contains("import   nightly") && listed.contains("local-1"), "{listed}");
    let own = up.call(&["user", "token", "create", "mine", "--grant", "viewer", "-o", "json"]);
    assert_eq!(own.ended(0).json()["name"], "mine");
    up.call(&["user", "token", "revoke", "mine", "--reason", "not needed"]).ended(0);
    up.call(&["user", "token", "revoke", "nightly", "--user", "import", "--reason", "lost"])
        .ended(0);
    with_token(&up, &token, &["user", "whoami"]).ended(4);
    let all = events(&up, Some("user/import"));
    assert_eq!(of_kind(&all, "user.denied").len(), 2);
    super::stop_and_verify(up);
}

#[test]
fn a_password_is_changed_from_the_command_line_by_whoever_knows_the_old_one() {
    let dir = tempfile::tempdir().unwrap();
    let up = for_two(&dir.path().join("data"), &[], |_| {});
    let admin = Person::first(&up);
    let change = |old: &str| {
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, format!("{text}\n")).unwrap();
            path.display().to_string()
        };
        let (old, new) = (file("old", old), file("new", "another horse battery staple"));
        up.call(&["user", "password", "--old-file", &old, "--new-file", &new])
    };
    let refused = change("not the password at all").ended(4);
    assert!(refused.err.contains("that is not the old password"), "{refused:?}");
    admin.session.get("/api/v1/me").is(200);
    let changed = change(&admin.password).ended(0);
    assert!(changed.out.starts_with("user/admin: the password is another one"), "{changed:?}");
    admin.session.get("/api/v1/me").is(401);
    super::stop_and_verify(up);
}

#[test]
fn an_act_on_a_selection_goes_on_after_what_somebody_may_not_do_and_says_so_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let jobs = dir.path().join("jobs.yaml");
    std::fs::write(&jobs, super::JOBS).unwrap();
    let up = for_two(&dir.path().join("data"), &[&jobs], |_| {});
    let admin = Person::first(&up);
    let pay = Person::with(&up, &admin, "pay", &["operator@folder/pay"]);
    let token = super::new_token(&pay.session, "pay", &json!({"name": "shell"}));
    for job in ["stock.count", "pay.export", "stock.count"] {
        let run = up.call(&["run", job, "--reason", "to run it again", "-o", "json"]);
        let run = run.ended(0).json()["stream"].as_str().unwrap().to_owned();
        assert_eq!(crate::prints::ended(&up, &run), "succeeded");
    }
    let again = ["rerun", "--state", "succeeded", "--yes", "--reason", "once more", "-o", "json"];
    let said = with_token(&up, &token, &again).ended(5);
    let each = said.json();
    let done = |one: &serde_json::Value| {
        let message = one["message"].as_str().unwrap();
        (one["done"].as_bool().unwrap(), message.contains("only for folder/pay"))
    };
    let done: Vec<(bool, bool)> = each.as_array().unwrap().iter().map(done).collect();
    assert_eq!(done, [(false, true), (true, false), (false, true)], "{each:#}");
    assert!(said.err.ends_with("2 of 3 were refused\n"), "{}", said.err);
    with_token(&up, "decklog_pat_00", &again).ended(4);
    super::stop_and_verify(up);
}

#[test]
fn who_sits_at_the_machine_lets_an_administrator_in_when_nobody_else_can() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let up = for_two(&data, &[], |_| {});
    let admin = Person::first(&up);
    let two = Person::with(&up, &admin, "two", &["admin"]);
    Person::with(&up, &admin, "mia", &["operator"]);
    let removed = json!({"act": {"act": "remove"}, "reason": "two does it alone"});
    two.token.post("/api/v1/users/admin/acts", &removed).is(200);
    let reset = |name: &str| run(decklog(["user", "reset", name, "--data"]).arg(&data));
    reset("two").ended(5);
    up.stop();
    reset("mia").ended(3);
    reset("admin").ended(3);
    let code = secret(&reset("two").ended(0));
    let up = Up::start(&data, &[]);
    let (_, session) = super::come_in(&up, "two", &code);
    session.get("/api/v1/me").is(200);
    let all = events(&up, Some("user/two"));
    let issued = of_kind(&all, "user.code-issued");
    assert_eq!(issued.last().unwrap()["actor"], serde_json::Value::Null, "{issued:?}");
    super::stop_and_verify(up);
}
