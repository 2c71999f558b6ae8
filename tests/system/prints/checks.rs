//! Checks: numbered stock, control totals, a jam, a reprint by two people, the file for the bank.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use testkit::wait;

use super::{Office, SOON, act, ask, ended, id, said, wait_for_states};
use crate::programs::Up;

/// Checks on a form, each page one, with amounts and payees.
pub(crate) fn checks(office: &Office, name: &str, from: usize, count: usize) -> Vec<u8> {
    let page = |n: usize| format!("CHECK RUN\nPay to: Person {n}\nAmount: {}.50\n", 100 + n);
    let text = (from..from + count).map(page).collect::<Vec<_>>().join("\x0c");
    fs::write(office.path("out").join(name), &text).unwrap();
    text.into_bytes()
}

/// The control file for the checks of these files.
pub(crate) fn control(office: &Office, rows: impl Iterator<Item = usize>) {
    let mut text = "payee,amount\n".to_owned();
    rows.for_each(|n| text.push_str(&format!("Person {n},{}.50\n", 100 + n)));
    fs::write(office.path("control.csv"), text).unwrap();
}

pub(crate) fn site(office: &Office) -> PathBuf {
    site_of(office, &office.paper.uri(), "")
}

/// The same with such a queue to another printer.
pub(super) fn site_of(office: &Office, printer: &str, queue: &str) -> PathBuf {
    let control = office.path("control.csv");
    let job = format!(
        "  purpose: checks\n  form: checks\n\
         \x20 register: {{ amount: 'Amount: ([0-9.,]+)', payee: 'Pay to: (.+)' }}\n\
         \x20 control: {{ file: '{}', amount: amount }}\n",
        control.display()
    );
    let form = "---\nkind: form\nname: checks\naccount: Payroll, First Bank\nqueue: office\n\
                positive-pay:\n  columns: [account, number, amount, date, payee, status]\n";
    office.site_at(printer, queue, &job, form)
}

pub(crate) fn load(up: &Up, first: &str, last: &str) {
    act(up, &["forms", "load", "checks", first, last]);
    act(up, &["forms", "witness", "checks", first, last]);
}

pub(super) fn form(up: &Up) -> Value {
    let all = up.call(&["print", "forms", "list", "-o", "json"]).ended(0).json();
    all[0].clone()
}

#[test]
fn checks_are_printed_on_the_next_numbers_counted_registered_and_told_to_the_bank() {
    let office = Office::new();
    let text = checks(&office, "checks.txt", 1, 5);
    control(&office, 1..=5);
    let up = office.up(&site(&office));
    let run = ask(&up, "reports");
    wait::until("the queue to say that there is no stock", SOON, || {
        let queues = up.call(&["print", "queues", "-o", "json"]).ended(0).json();
        queues[0]["why"].as_str().is_some_and(|why| why.contains("no stock"))
    })
    .unwrap();
    load(&up, "1001", "1020");
    assert_eq!(ended(&up, &run), "succeeded");
    let one = id(&wait_for_states(&up, &["printed"])[0]);
    assert_eq!((office.paper.times(&text, 1), office.paper.times(&text, 5)), (1, 1));
    let now = form(&up);
    assert_eq!(
        (&now["next"], &now["printed"], &now["left"]),
        (&1006.into(), &5.into(), &15.into())
    );
    let found = up.call(&["print", "reconcile", "-o", "json"]).ended(1).json();
    assert_eq!(found.as_array().unwrap().len(), 1, "{found}");
    assert_eq!(found[0]["kind"], "not-checked", "a second person has to read the numbers: {found}");
    act(&up, &["forms", "check", "checks", &one, "1001", "1006"]);
    let found = up.call(&["print", "reconcile", "-o", "json"]).ended(1).json();
    assert_eq!(found[0]["kind"], "check-differs", "{found}");
    act(&up, &["forms", "check", "checks", &one, "1001", "1005"]);
    up.call(&["print", "reconcile"]).ended(0);

    let register = said(&up, &["forms", "register", "checks", "-o", "json"]).ended(0).json();
    assert_eq!(register.as_array().unwrap().len(), 20);
    assert_eq!(
        (&register[1]["payee"], &register[1]["amount"]),
        (&"Person 2".into(), &1_025_000.into())
    );
    assert_eq!((&register[4]["fate"], &register[5]["fate"]), (&"printed".into(), &Value::Null));
    let bank = office.path("bank.csv");
    let wanted = [
        "forms",
        "positive-pay",
        "checks",
        "--first",
        "1001",
        "--last",
        "1005",
        "--account",
        "12345678",
        "--zone",
        "UTC",
        "--to",
    ];
    said(&up, &[&wanted[..], &[bank.to_str().unwrap()]].concat()).ended(0);
    let bank = fs::read_to_string(bank).unwrap();
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let lines: Vec<&str> = bank.lines().collect();
    assert_eq!((lines.len(), lines[0]), (6, "account,number,amount,date,payee,status"));
    assert!(lines[2] == format!("12345678,001002,102.50,{today},Person 2,I"), "{bank}");
    up.stop();
    crate::programs::call(&office.path("data"), &["verify"]).ended(0);
}

#[test]
fn checks_that_do_not_agree_with_their_control_total_wait_and_the_run_fails() {
    let office = Office::new();
    checks(&office, "checks.txt", 1, 5);
    control(&office, 1..=6);
    let up = office.up(&site(&office));
    load(&up, "1", "9");
    assert_eq!(ended(&up, &ask(&up, "reports")), "failed");
    wait_for_states(&up, &["held"]);
    assert!(office.paper.printed().is_empty());
    let found = up.call(&["print", "reconcile", "-o", "json"]).ended(1).json();
    assert_eq!(found[0]["kind"], "control-total", "{found}");
    assert_eq!(
        (&found[0]["expected"], &found[0]["found"], &found[0]["amount_agrees"]),
        (&6.into(), &5.into(), &false.into())
    );
    up.stop();
}

#[test]
fn a_printing_that_breaks_off_is_accounted_for_sheet_by_sheet_and_the_rest_is_printed_on_the_next_numbers()
 {
    let office = Office::new();
    let text = checks(&office, "checks.txt", 1, 6);
    control(&office, 1..=6);
    let up = office.up(&site(&office));
    load(&up, "101", "130");
    office.paper.abort_after(2);
    let run = ask(&up, "reports");
    assert_eq!(ended(&up, &run), "failed");
    let one = id(&wait_for_states(&up, &["failed"])[0]);
    wait::until("two numbers to be printed", SOON, || form(&up)["printed"] == 2).unwrap();
    assert_eq!(form(&up)["in_doubt"], 4);
    let found = up.call(&["print", "reconcile", "-o", "json"]).ended(1).json();
    let kinds: Vec<&str> =
        found.as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"in-doubt"), "{found}");

    // One sheet was torn, three lie blank in the tray.
    act(&up, &["forms", "spoil", "checks", "103", "103"]);
    said(&up, &["forms", "return", "checks", "101", "106"]).ended(5);
    act(&up, &["forms", "return", "checks", "104", "106"]);
    assert_eq!(form(&up)["next"], 104);
    act(&up, &["reprint", &one, "--pages", "2-6"]);
    let refused = said(&up, &["approve-reprint", &one]).ended(5);
    assert!(refused.err.contains("000102"), "page 2 was printed, and counts: {}", refused.err);
    act(&up, &["decline-reprint", &one]);
    act(&up, &["reprint", &one, "--pages", "3-6"]);
    act(&up, &["approve-reprint", &one]);
    wait_for_states(&up, &["printed"]);
    for page in 1..=6 {
        assert_eq!(office.paper.times(&text, page), 1, "page {page}");
    }
    let now = form(&up);
    assert_eq!(
        (&now["printed"], &now["spent"], &now["in_doubt"], &now["next"]),
        (&6.into(), &1.into(), &0.into(), &108.into())
    );
    let found = up.call(&["print", "reconcile", "-o", "json"]).ended(1).json();
    let kinds: Vec<&str> =
        found.as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"unauthorised-reprint"), "one person did both, and it shows: {found}");
    up.stop();
    crate::programs::call(&office.path("data"), &["verify"]).ended(0);
}

/// The printer fed and spoiled a sheet, and went on by itself: its last page lies on a number it was not given. And four
/// sheets left the tray while it was changed.
#[test]
fn a_sheet_that_slipped_moves_pages_and_sheets_that_are_gone_are_a_gap() {
    let office = Office::new();
    checks(&office, "checks.txt", 1, 5);
    control(&office, 1..=5);
    let up = office.up(&site(&office));
    load(&up, "1001", "1020");
    assert_eq!(ended(&up, &ask(&up, "reports")), "succeeded");
    let one = id(&wait_for_states(&up, &["printed"])[0]);
    wait::until("five numbers to be printed", SOON, || form(&up)["printed"] == 5).unwrap();
    act(&up, &["forms", "check", "checks", &one, "1001", "1006"]);
    let kinds = |up: &Up| -> Vec<String> {
        let found = up.call(&["print", "reconcile", "-o", "json"]).json();
        let of = |one: &Value| one["kind"].as_str().unwrap().to_owned();
        found.as_array().unwrap().iter().map(of).collect()
    };
    assert_eq!(kinds(&up), ["check-differs"]);
    act(&up, &["forms", "slip", "checks", "1003", "1003"]);
    act(&up, &["forms", "check", "checks", &one, "1001", "1006"]);
    assert_eq!(kinds(&up), [""; 0]);
    let register = said(&up, &["forms", "register", "checks"]).ended(0).out;
    let line = |number: &str| {
        let line = register.lines().find(|line| line.starts_with(number)).unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        (words[1].to_owned(), line.contains("Person 3"))
    };
    assert_eq!(line("001003"), ("spoiled".to_owned(), false));
    assert_eq!(line("001004"), ("printed".to_owned(), true), "{register}");
    assert!(register.contains("001007 to 001020  unused"), "{register}");

    act(&up, &["forms", "unload", "checks", "1001"]);
    load(&up, "1011", "1020");
    checks(&office, "checks.txt", 11, 2);
    control(&office, 11..=12);
    assert_eq!(ended(&up, &ask(&up, "reports")), "succeeded");
    let two = id(&wait_for_states(&up, &["printed", "printed"])[1]);
    act(&up, &["forms", "check", "checks", &two, "1011", "1012"]);
    let found = up.call(&["print", "reconcile", "-o", "json"]).ended(1).json();
    assert_eq!(
        (&found[0]["kind"], &found[0]["first"], &found[0]["last"]),
        (&"gap".into(), &1007.into(), &1010.into()),
        "{found}"
    );
    assert_eq!(found.as_array().unwrap().len(), 1, "{found}");
    up.stop();
    crate::programs::call(&office.path("data"), &["verify"]).ended(0);
}
