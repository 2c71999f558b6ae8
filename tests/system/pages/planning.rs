//! What is seen ahead: the timeline, and the form in which a job is written and looked at before it is proposed.

use std::fs;

use testkit::wait;

use super::browser::{Browser, Page, encoded};
use super::{SOON, flaws, state_of};
use crate::prints::{ask, ended};
use crate::programs::{Up, call, decklog};

const JOBS: &str = "---\nname: nightly\nschedule: { cron: '30 2 * * *' }\nzone: Europe/Paris\n\
    command: { argv: [/bin/true] }\n\
    ---\nname: closed\nschedule: { every: 1h }\ncommand: { argv: [/bin/true] }\n\
    ---\nname: works\ncommand: { argv: [/bin/true] }\n\
    ---\nname: fails\ncommand: { script: 'exit 3' }\n\
    ---\nname: long\ncommand: { argv: [/bin/sleep, '300'] }\n\
    ---\nkind: blackout\nname: shut\napplies-to: { jobs: [closed] }\nat-end: skip\n\
    times: [{ daily: { from: '00:00', until: '00:00' } }]\n";

fn up(dir: &std::path::Path, jobs: &str) -> Up {
    let path = dir.join("jobs.yaml");
    fs::write(&path, jobs).unwrap();
    Up::start(&dir.join("data"), &[&path])
}

#[test]
fn the_timeline_shows_what_ran_and_what_will_in_lanes_and_says_all_of_it_in_a_table() {
    let dir = tempfile::tempdir().unwrap();
    let up = up(dir.path(), JOBS);
    let browser = Browser::of_admin(&up);
    let (works, fails, long) = (ask(&up, "works"), ask(&up, "fails"), ask(&up, "long"));
    ended(&up, &works);
    ended(&up, &fails);
    wait::until("it to run", SOON, || state_of(&up, &long) == "running").unwrap();
    let page = browser.get("/timeline");
    assert_eq!((page.status, page.heading().as_str()), (200, "Timeline"));
    assert_eq!(flaws("/timeline", &page), [""; 0]);
    let run = |run: &str| run.trim_start_matches("run/").to_owned();
    for part in [
        "<svg class=\"gantt\"",
        ">now</text>",
        "class=\"bar good\"",
        "class=\"bar bad\" fill=\"url(#look-bad)\"",
        "class=\"bar open\" fill=\"url(#look-open)\"",
        "class=\"bar plan\"",
        "class=\"bar out\"",
        "<rect class=\"dark\"",
        "decklog runs --since ",
        "decklog calendar --from ",
        "<td data-label=\"Applies to\">jobs closed</td>",
        &format!("<a href=\"/runs/{}\"><title>", encoded(&run(&fails))),
        &format!("<a href=\"/runs/{}\">{}</a>", encoded(&run(&fails)), run(&fails)),
    ] {
        assert!(page.text.contains(part), "{part}\n{}", page.text);
    }
    assert_eq!(lanes(&page), ["closed", "fails", "long", "nightly", "works"]);
    let bars = page.text.matches("<title>").count() - 1;
    let rows = page.text.matches("<td data-label=\"Run\">").count();
    assert_eq!(bars, rows, "every bar stands in the table");

    let hosts = browser.get("/timeline?by=host");
    assert_eq!(lanes(&hosts).last().unwrap(), "pool default, on any of its hosts");
    assert!(hosts.text.contains("<a href=\"/hosts/"), "{}", hosts.text);
    let narrow = browser.get("/timeline?name=fail&by=host");
    assert!(!narrow.text.contains("works@") && narrow.text.contains("fails@"));
    other_times(&browser);
    up.stop();
}

fn other_times(browser: &Browser) {
    let autumn = browser.get("/timeline?at=2020-10-25T01:00:00Z&zone=Europe/Berlin&hours=6");
    assert!(autumn.text.contains("on 2020-10-25 at 03:00 the clock shows 02:00"));
    assert!(autumn.text.contains("Nothing ran in this time"), "{}", autumn.text);
    let spring = next_spring("Europe/Berlin");
    let ahead = browser.get(&format!("/timeline?at={spring}&zone=Europe/Berlin&hours=6"));
    assert!(ahead.text.contains("class=\"change\"") && ahead.text.contains("clock 02:00"));
    assert!(ahead.text.contains("gap-shifted") && !ahead.text.contains(">now</text>"));
    for (query, says) in [
        ("hours=0", "hours: 1 to 168"),
        ("at=soon", "is no time"),
        ("zone=Paris", "unknown time zone"),
        ("by=colour", "write job or host"),
    ] {
        let page = browser.get(&format!("/timeline?{query}"));
        assert!(page.status == 400 && page.text.contains(says), "{query}: {}", page.text);
    }
}

/// When the clock of a zone is put forward next.
fn next_spring(zone: &str) -> jiff::Timestamp {
    let zone = jiff::tz::TimeZone::get(zone).unwrap();
    let mut changes = zone.following(jiff::Timestamp::now());
    changes.find(|change| change.dst().is_dst()).unwrap().timestamp()
}

/// The names of the lanes, from above to below.
pub(super) fn lanes(page: &Page) -> Vec<String> {
    let parts = page.text.split("<text class=\"lane\"").skip(1);
    let name = |part: &str| part.split_once('>').unwrap().1.split('<').next().unwrap().to_owned();
    parts.map(name).collect()
}

/// What the form that proposes would send.
fn sends(page: &Page) -> Vec<(String, String)> {
    let form = page.text.split("action=\"/schedules/new\">").nth(1).unwrap();
    let form = form.split("</form>").next().unwrap();
    Page::hidden(form)
}

fn send(browser: &Browser, fields: &[(String, String)], reason: &str) -> Page {
    let own = fields.iter().filter(|(name, _)| name != "word");
    let mut all: Vec<(&str, &str)> = own.map(|(name, value)| (&**name, &**value)).collect();
    all.push(("reason", reason));
    browser.send("/schedules/new", &all)
}

#[test]
fn a_job_is_written_in_a_form_looked_at_proposed_and_waits_for_somebody_else() {
    let dir = tempfile::tempdir().unwrap();
    let command = decklog(["up", "--listen", "127.0.0.1:0", "--self-approval", "false"]);
    let up = Up::started(command, &dir.path().join("data"), &[]);
    let browser = Browser::of_admin(&up);
    let empty = browser.get("/schedules/new");
    assert_eq!((empty.status, empty.heading().as_str()), (200, "New job"));
    assert!(!empty.text.contains("Propose</button>") && !empty.text.contains("role=\"alert\""));
    let wrong = browser.get(
        "/schedules/new?look=yes&name=Pay+Day&expression=61+2+*+*+*&zone=Europe/Pariss&not-on=feasts&argv=/bin/true",
    );
    assert_eq!(wrong.status, 400, "{}", wrong.text);
    assert_eq!(wrong.text.matches("aria-invalid=\"true\"").count(), 4, "{}", wrong.text);
    for says in ["is not a name", "did you mean `Europe/Paris`?", "there is no calendar feasts"] {
        assert!(wrong.text.contains(says), "{says}: {}", wrong.text);
    }
    assert!(wrong.text.contains("value=\"Pay Day\"") && !wrong.text.contains("Propose</button>"));

    let query = "look=yes&name=pay&expression=30+2+*+*+*&zone=Europe/Paris&late-after=5m&argv=/bin/echo%0Apaid+%3Call%3E";
    let seen = browser.get(&format!("/schedules/new?{query}"));
    assert_eq!(seen.status, 200, "{}", seen.text);
    assert_eq!(flaws("/schedules/new", &seen), [""; 0]);
    assert_eq!(seen.text.matches("<td class=\"t\" data-label=\"UTC\">").count(), 10);
    for part in ["Europe/Paris time", "paid &#60;all&#62;", "decklog apply pay.yaml --reason"] {
        assert!(seen.text.contains(part), "{part}: {}", seen.text);
    }
    let silent = send(&browser, &sends(&seen), "");
    assert!(silent.status == 400 && silent.text.contains("a reason of 1 to"), "{}", silent.text);
    let proposed = send(&browser, &sends(&seen), "wanted by the bank");
    assert_eq!(proposed.status, 303, "{}", proposed.text);
    assert!(proposed.location.starts_with("/changes/job/pay?done="), "{}", proposed.location);
    let change = browser.get(&proposed.location);
    assert_eq!(change.heading(), "job/pay");
    for part in ["waits for approval", "wanted by the bank", "paid &#60;all&#62;", "late-after: 5m"]
    {
        assert!(change.text.contains(part), "{part}: {}", change.text);
    }
    let again = send(&browser, &sends(&browser.get(&format!("/schedules/new?{query}"))), "again");
    assert!(again.status == 400 && again.text.contains("waits already"), "{}", again.text);
    up.stop();
    call(&dir.path().join("data"), &["verify"]).ended(0);
}

#[test]
fn a_job_that_is_there_is_changed_in_the_form_and_keeps_what_the_form_has_no_field_for() {
    let dir = tempfile::tempdir().unwrap();
    let jobs = "name: pay\nschedule: { cron: '30 2 * * *' }\nzone: Europe/Paris\ntimeout: 7m\n\
                command: { script: 'echo paid' }\n---\nname: other\nschedule: { every: 10m }\n\
                command: { argv: [/bin/true] }\n";
    let up = up(dir.path(), jobs);
    let browser = Browser::of_admin(&up);
    let job = browser.get("/jobs/pay");
    let to = job.attributes("href").into_iter().find(|to| to.contains("/schedules/new")).unwrap();
    let form = browser.get(&to);
    assert_eq!(form.heading(), "Schedule of pay");
    assert!(
        form.text.contains("value=\"30 2 * * *\"") && form.text.contains("It keeps its command")
    );
    let query = "look=yes&expression=30+3+*+*+*&zone=Europe/Paris&overlap=queue-one";
    let taken = browser.get(&format!("/schedules/new?{query}&name=pay&argv=/bin/true"));
    assert!(taken.status == 400 && taken.text.contains("there is a job of this name"));
    let seen = browser.get(&format!("{to}&{query}"));
    assert_eq!(seen.status, 200, "{}", seen.text);
    let load = seen.text.matches("data-label=\"Other starts in its hour\">6</td>").count();
    assert_eq!(load, 10, "{}", seen.text);
    assert!(seen.text.contains("timeout: 7m") && seen.text.contains("echo paid"));
    let fields = sends(&seen);
    let changed = send(&browser, &fields, "later is better");
    assert_eq!(changed.status, 303, "{}", changed.text);
    let change = browser.get(&changed.location);
    assert!(change.text.contains("later is better") && change.text.contains("approved by"));
    let shown = browser.get("/jobs/pay").text;
    for part in ["30 3 * * *", "queue-one", "timeout: 7m", "echo paid"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    // What was looked at stood on a definition that is not active any more.
    let stale = send(&browser, &fields, "once more");
    assert!(stale.status == 409 && stale.text.contains("look at it again"), "{}", stale.text);
    for to in ["/schedules/new?job=nobody", "/schedules/new?job=No+Name"] {
        assert_eq!(browser.get(to).status, 404, "{to}");
    }
    up.stop();
    call(&dir.path().join("data"), &["verify"]).ended(0);
}
