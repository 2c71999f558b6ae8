//! events, and verify over a log that somebody has changed.

use serde_json::Value;

use super::{Desk, ON_REQUEST};
use crate::programs::{call, decklog, run, sql};

/// A log with runs in it and a signed head over its end, and nothing at work on it.
fn desk_with_a_log() -> Desk {
    let desk = Desk::new();
    let jobs = desk.file("jobs.yaml", ON_REQUEST);
    let up = desk.up(&[&jobs]);
    up.call(&["run", "says-hello", "--reason", "to see it", "--follow"]).ended(0);
    up.call(&["run", "fails", "--reason", "to see it", "--follow"]).ended(1);
    up.stop();
    call(&desk.data(), &["verify"]).ended(0);
    desk
}

fn events(desk: &Desk) -> Vec<Value> {
    let out = call(&desk.data(), &["events", "-o", "jsonl"]).ended(0).out;
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn position_of(desk: &Desk, kind: &str) -> u64 {
    let events = events(desk);
    let found = events.iter().find(|entry| entry["event"]["type"] == kind);
    found.unwrap_or_else(|| panic!("no {kind}"))["position"].as_u64().unwrap()
}

#[test]
fn a_doctor_names_a_guard_that_is_gone_and_a_key_that_others_can_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let desk = desk_with_a_log();
    let well = call(&desk.data(), &["doctor"]).ended(0).out;
    assert!(well.contains("the guards of the log stand"), "{well}");
    assert!(well.contains("note: no backup of this site holds "), "{well}");
    let told = call(&desk.data(), &["doctor", "-o", "json"]).ended(0).json();
    let told = told.as_array().unwrap();
    assert!(told.len() == 1 && told[0]["note"] == true, "{told:?}");
    sql(&desk.data(), "DROP TRIGGER event_no_delete");
    let token = desk.data().join("console.token");
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o644)).unwrap();
    let ill = call(&desk.data(), &["doctor"]).ended(1).out;
    for says in ["the trigger event_no_delete is not there", "console.token: its mode is 644"] {
        assert!(ill.contains(says), "{says} in {ill}");
    }
    let file = desk.data().join("log.sqlite");
    let of_file = run(decklog(["doctor", "--database"]).arg(file)).ended(1).out;
    assert!(of_file.contains("event_no_delete") && !of_file.contains("console.token"), "{of_file}");
}

#[test]
fn who_exports_evidence_stands_in_the_log_with_the_file_and_a_copy_of_the_log_is_left_as_it_is() {
    let desk = desk_with_a_log();
    let file = desk.data().with_file_name("evidence.tar");
    let export = ["evidence", "export", "-o", "json", "--to", file.to_str().unwrap()];
    let said = call(&desk.data(), &export).ended(0).json();
    let event = events(&desk)
        .into_iter()
        .find(|entry| entry["event"]["type"] == "log.exported")
        .expect("the export is told");
    assert_eq!(said["recorded"], event["position"]);
    let actor = event["event"]["actor"].as_str();
    assert!(actor.is_some_and(|who| who.starts_with("user/")), "{actor:?}");
    let digest = crate::witnessed::sha256(&file);
    let data = &event["event"]["data"];
    assert_eq!(
        (&data["file"], &data["size"], &said["sha256"]),
        (&digest.clone().into(), &said["size"], &digest.into())
    );
    let test = ["control", "test", "AC-04", "--population"];
    let read = call(&desk.data(), &test).ended(0).out;
    assert!(read.contains("log/exports") && read.contains("evidence"), "{read}");

    let copy = desk.data().with_file_name("copy");
    std::fs::create_dir(&copy).unwrap();
    std::fs::copy(desk.data().join("log.sqlite"), copy.join("log.sqlite")).unwrap();
    let again = file.with_file_name("again.tar");
    let export = ["evidence", "export", "--to", again.to_str().unwrap()];
    let said = call(&copy, &export).ended(0);
    assert!(
        said.err.contains("the log does not say that this was exported: it is a copy"),
        "{}",
        said.err
    );
    let left: Vec<_> =
        std::fs::read_dir(&copy).unwrap().map(|one| one.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| name.to_string_lossy().starts_with("log.sqlite")), "{left:?}");
    call(&desk.data(), &["verify"]).ended(0);
}

#[track_caller]
fn verify_finds(desk: &Desk, what: &str) {
    let said = call(&desk.data(), &["verify"]).ended(1);
    assert!(said.out.contains(what), "{what:?} in\n{}", said.out);
    assert!(said.out.contains("NOT VERIFIED"), "{}", said.out);
}

#[test]
fn events_are_numbered_lines_with_what_was_signed() {
    let desk = desk_with_a_log();
    let events = events(&desk);
    for (index, entry) in events.iter().enumerate() {
        assert_eq!(entry["position"], index as u64 + 1);
        assert!(entry["received"].is_string(), "{entry}");
        let event = &entry["event"];
        assert!(event["type"].is_string() && event["subject"].is_string(), "{entry}");
        assert!(event["data"].is_object(), "{entry}");
    }
    assert_eq!(events[0]["event"]["type"], "log.created");
    let one = ["events", "-o", "jsonl", "--stream", "job/fails", "--after", "1", "-n", "1"];
    let one = call(&desk.data(), &one).ended(0).json();
    assert_eq!(
        (&one["event"]["subject"], &one["event"]["type"]),
        (&"job/fails".into(), &"job.proposed".into())
    );
}

#[test]
fn the_log_refuses_every_change_as_long_as_its_triggers_stand() {
    let desk = desk_with_a_log();
    for statement in [
        "UPDATE event SET void = 'x'",
        "DELETE FROM event",
        "DELETE FROM checkpoint",
        "UPDATE head SET size = 1",
    ] {
        let refused = std::panic::catch_unwind(|| sql(&desk.data(), statement));
        assert!(refused.is_err(), "{statement} was let through");
    }
    call(&desk.data(), &["verify"]).ended(0);
}

#[test]
fn verify_finds_one_flipped_byte_and_says_where() {
    let desk = desk_with_a_log();
    let position = position_of(&desk, "run.started");
    let leaf =
        sql(&desk.data(), &format!("SELECT hex(leaf) FROM event WHERE position = {position}"));
    // In the middle, which is inside the signed envelope.
    let (before, after) = leaf.split_at(leaf.len() / 4 * 2);
    let byte = u8::from_str_radix(&after[..2], 16).unwrap() ^ 1;
    let leaf = format!("{before}{byte:02X}{}", &after[2..]);
    sql(
        &desk.data(),
        &format!(
            "DROP TRIGGER event_no_update; UPDATE event SET leaf = x'{leaf}' WHERE position = {position}"
        ),
    );
    verify_finds(&desk, &format!("position {position}: "));
    verify_finds(&desk, "the log was changed after it was signed");
}

#[test]
fn verify_finds_a_deleted_row_and_says_where() {
    let desk = desk_with_a_log();
    let position = position_of(&desk, "run.failed");
    sql(
        &desk.data(),
        &format!("DROP TRIGGER event_no_delete; DELETE FROM event WHERE position = {position}"),
    );
    verify_finds(&desk, &format!("ENTRY_MISSING: position {position}: it is missing"));
}

#[test]
fn verify_finds_a_changed_mark_and_says_where() {
    let desk = desk_with_a_log();
    let position = position_of(&desk, "run.failed");
    sql(
        &desk.data(),
        &format!(
            "DROP TRIGGER event_no_update; UPDATE event SET void = 'refused: no' WHERE position = {position}"
        ),
    );
    verify_finds(
        &desk,
        &format!("position {position}: it is marked `refused: no`, but by the rules it is `valid`"),
    );
}

#[test]
fn verify_finds_a_log_cut_short_below_its_head() {
    let desk = desk_with_a_log();
    let size: u64 = sql(&desk.data(), "SELECT size FROM head").parse().unwrap();
    sql(
        &desk.data(),
        &format!("DROP TRIGGER event_no_delete; DELETE FROM event WHERE position > {}", size - 2),
    );
    verify_finds(&desk, &format!("ENTRY_MISSING: position {}: it is missing", size - 1));
}

#[test]
fn verify_finds_a_log_put_back_to_an_earlier_state_by_the_head_that_was_signed_later() {
    let desk = desk_with_a_log();
    let data = desk.data();
    let column = |name: &str| sql(&data, &format!("SELECT {name} FROM head"));
    let (before, root, frontier) = (column("size"), column("hex(root)"), column("hex(frontier)"));
    let up = desk.up(&[]);
    up.call(&["run", "says-hello", "--reason", "to hide it", "--follow"]).ended(0);
    up.stop();
    let signed = sql(&data, "SELECT max(size) FROM checkpoint");
    assert_eq!(signed, column("size"), "an orderly stop signs the end of the log");
    call(&data, &["verify"]).ended(0);
    sql(
        &data,
        &format!(
            "DROP TRIGGER event_no_delete; DELETE FROM event WHERE position > {before};
             DROP TRIGGER head_no_shrink;
             UPDATE head SET size = {before}, root = x'{root}', frontier = x'{frontier}'"
        ),
    );
    verify_finds(&desk, &format!("a signed head of size {signed} fits no state of this log"));
    // Whoever thinks of the heads too is still told on by the signer, which remembers the last one.
    sql(
        &data,
        &format!("DROP TRIGGER checkpoint_no_delete; DELETE FROM checkpoint WHERE size > {before}"),
    );
    verify_finds(&desk, &format!("the signer remembers a head of size {signed}"));
}

#[test]
fn a_read_model_that_was_lost_is_computed_again_by_migrate() {
    let desk = desk_with_a_log();
    let runs = || call(&desk.data(), &["runs", "-o", "json"]).ended(0).json();
    let before = runs();
    assert_eq!(before.as_array().unwrap().len(), 2, "{before:#}");
    sql(&desk.data(), "DELETE FROM state; DELETE FROM turn;");
    assert_eq!(runs(), serde_json::json!([]));
    let file = desk.data().join("log.sqlite");
    let migrate = |arguments: &[&str]| {
        run(crate::programs::decklog(["migrate", "--database"]).arg(&file).args(arguments)).ended(0)
    };
    assert!(migrate(&[]).out.contains("is up to date"));
    let said = migrate(&["--rebuild"]).out;
    assert!(said.contains("read model computed again"), "{said}");
    assert_eq!(runs(), before);
    call(&desk.data(), &["verify"]).ended(0);
}
