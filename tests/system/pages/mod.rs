//! The console's pages as somebody sees them without scripts: no link is dead, nothing is inline, none is heavy, and forms do
//! what they say.

mod browser;
mod controls;
mod health;
mod planning;
mod restoring;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::time::Duration;

use testkit::wait;

use crate::backups::Night;
use crate::prints::{Office, ask, ended, id, wait_for_states};
use crate::programs::{Up, call};
pub(crate) use browser::Browser;
use browser::{Page, encoded};

/// How long anything may take here, on a machine that has other things to do.
const SOON: Duration = Duration::from_secs(90);
/// Most bytes of a page.
const HEAVY: usize = 100 * 1024;
/// Most addresses that are followed.
const FOLLOWED: usize = 1_500;

const JOBS: &str = "---\nname: payroll.nightly\nowner: ana\ndescription: Pays <everybody> & more\n\
    schedule: { cron: '30 2 * * *' }\nzone: Europe/Paris\nparameters: { mode: { type: choice, choices: [dry, wet], default: dry } }\n\
    command: { script: 'echo paid' }\n\
    ---\nname: fails\ncommand: { script: 'echo \"<b>before</b>\"; exit 3' }\n\
    ---\nname: long\ncommand: { argv: [/bin/sleep, '300'] }\n\
    ---\nname: wordy\ncommand: { script: 'seq 1 60000 | sed \"s/^/<line> /\"' }\n";

/// Everything a site can have, and a running installation of it.
struct Site {
    office: Office,
    up: Up,
}

impl Site {
    fn start() -> Self {
        let office = Office::new();
        office.text("a.txt", 2);
        let night = Night::new(office.dir.path());
        let more = format!("{JOBS}---\n{}", fs::read_to_string(night.site("")).unwrap());
        let form = "---\nkind: form\nname: checks\naccount: Payroll\nqueue: office\n";
        let job = "  options: { copies: 1 }\n";
        let site = office.site("release: person\n", job, &format!("{form}{more}"));
        let up = office.up(&site);
        Self { office, up }
    }

    fn run(&self, job: &str) -> String {
        let run = ask(&self.up, job);
        ended(&self.up, &run);
        run
    }
}

/// Whether an address is of this console and can be asked for.
fn is_ours(href: &str) -> bool {
    href.starts_with('/') && !href.starts_with("//") && href != "/logout"
}

/// What is wrong with a page, whatever it is about.
pub(crate) fn flaws(path: &str, page: &Page) -> Vec<String> {
    let text = &page.text;
    let inline = [" style=\"", "<style", "javascript:", " onclick=", " onload=", " onsubmit="];
    let mut found: Vec<String> = inline
        .iter()
        .filter(|flaw| text.contains(**flaw))
        .map(|flaw| format!("holds {flaw}"))
        .collect();
    if text.matches("<script").count() != text.matches("<script src=\"/assets/").count() {
        found.push("holds a script".to_owned());
    }
    if text.len() > HEAVY {
        found.push(format!("has {} bytes", text.len()));
    }
    let asked = text.matches("<input").count() - text.matches("<input type=\"hidden\"").count()
        + text.matches("<select").count();
    if text.matches("<label").count() < asked {
        found.push("has a field without a label".to_owned());
    }
    if !text.contains("<main id=\"main\"") || text.matches("<h1").count() != 1 {
        found.push("has no one heading and content".to_owned());
    }
    found.into_iter().map(|flaw| format!("{path} {flaw}")).collect()
}

/// Follows every link from a page on; every page that was seen, and what was wrong.
fn crawl(browser: &Browser) -> (BTreeMap<String, Page>, Vec<String>) {
    let (mut open, mut known) = (VecDeque::from(["/".to_owned()]), BTreeSet::new());
    let (mut pages, mut wrong, mut marks) = (BTreeMap::new(), Vec::new(), Vec::new());
    while let Some(path) = open.pop_front() {
        if !known.insert(path.clone()) || known.len() > FOLLOWED {
            continue;
        }
        let page = browser.get(&path);
        if page.status == 303 {
            open.push_back(page.location.clone());
        } else if page.status != 200 {
            wrong.push(format!("{path} is {}", page.status));
        }
        if page.status != 200 || !page.kind.starts_with("text/html") {
            continue;
        }
        wrong.extend(flaws(&path, &page));
        for href in page.attributes("href").into_iter().filter(|href| is_ours(href)) {
            let (to, mark) = href.split_once('#').unwrap_or((&href, ""));
            marks.push((path.clone(), to.to_owned(), mark.to_owned()));
            open.push_back(to.to_owned());
        }
        pages.insert(path, page);
    }
    for (path, to, mark) in marks.into_iter().filter(|(_, _, mark)| !mark.is_empty()) {
        let there = pages.get(&to).is_none_or(|page| page.text.contains(&format!("id=\"{mark}\"")));
        if !there {
            wrong.push(format!("{path} leads to {to}#{mark}, which is not there"));
        }
    }
    (pages, wrong)
}

#[test]
fn every_link_of_every_page_leads_somewhere_and_no_page_is_heavy_or_needs_scripts() {
    let site = Site::start();
    let up = &site.up;
    let failed = site.run("fails");
    site.run("wordy");
    for job in ["save", "copy", "try", "check"] {
        site.run(job);
    }
    site.run("reports");
    wait_for_states(up, &["held"]);
    up.call(&["print", "forms", "load", "checks", "1001", "1100", "--reason", "new"]).ended(0);
    up.call(&["print", "forms", "witness", "checks", "1001", "1100", "--reason", "seen"]).ended(0);
    up.call(&["job", "pause", "long", "--reason", "not now"]).ended(0);
    let browser = Browser::of_admin(up);
    let (pages, wrong) = crawl(&browser);
    assert!(wrong.is_empty(), "{} pages: {wrong:#?}", pages.len());
    let run = failed.trim_start_matches("run/");
    for (path, heading) in [
        ("/jobs".to_owned(), "Jobs".to_owned()),
        ("/timeline".to_owned(), "Timeline".to_owned()),
        ("/schedules/new".to_owned(), "New job".to_owned()),
        ("/schedules/new?job=payroll.nightly".to_owned(), "Schedule of payroll.nightly".to_owned()),
        ("/jobs/payroll.nightly".to_owned(), "payroll.nightly active".to_owned()),
        ("/runs".to_owned(), "Runs".to_owned()),
        (format!("/runs/{}", encoded(run)), format!("{run} failed")),
        ("/hosts".to_owned(), "Hosts".to_owned()),
        ("/events".to_owned(), "Events".to_owned()),
        ("/prints".to_owned(), "Prints".to_owned()),
        ("/prints/queues".to_owned(), "Queues and forms".to_owned()),
        ("/prints/forms/checks".to_owned(), "checks".to_owned()),
        ("/backups".to_owned(), "Backups".to_owned()),
        ("/backups/files".to_owned(), "files protected".to_owned()),
        ("/people".to_owned(), "People".to_owned()),
        ("/site".to_owned(), "Settings and health".to_owned()),
        ("/controls".to_owned(), "Controls".to_owned()),
    ] {
        let page = pages.get(&path).unwrap_or_else(|| panic!("nothing leads to {path}"));
        assert_eq!(page.heading(), heading, "{path}");
        assert!(page.text.contains("data-as-of") || path == "/people", "{path}");
    }
    for start in ["/backups/files/files?snapshot=", "/backups/files/restore?snapshot="] {
        assert!(pages.keys().any(|path| path.starts_with(start)), "nothing leads to {start}");
    }
    what_pages_say(&browser, &pages, run);
    site.up.stop();
    call(&site.office.path("data"), &["verify"]).ended(0);
}

fn what_pages_say(browser: &Browser, pages: &BTreeMap<String, Page>, failed: &str) {
    let job = &pages["/jobs/payroll.nightly"].text;
    for part in [
        "Europe/Paris",
        "Pays &#60;everybody&#62; &#38; more",
        "<th scope=\"col\">UTC</th>",
        "rel=\"next\"",
    ] {
        assert_eq!(job.contains(part), part != "rel=\"next\"", "{part}");
    }
    let jobs = &pages["/jobs"].text;
    assert!(jobs.contains("never ran") && jobs.contains("not now"), "{jobs}");
    let run = &pages[&format!("/runs/{}", encoded(failed))].text;
    assert!(run.contains("&#60;b&#62;before&#60;/b&#62;") && run.contains("exit 3"), "{run}");
    let wordy = pages.values().find(|page| page.text.contains("&#60;line&#62; 60000\n")).unwrap();
    assert!(wordy.text.contains("This is its end") && !wordy.text.contains("&#60;line&#62; 1\n"));
    let register = &pages["/prints/forms/checks"].text;
    assert!(register.contains("001001 to 001100") && register.contains(">unused<"), "{register}");
    for (path, says) in [
        ("/jobs?name=nothing", "the text <strong>nothing</strong>"),
        (
            "/runs?job=fails&state=missed",
            "<strong>job fails</strong>, <strong>state missed</strong>",
        ),
        ("/events?type=run.failed&actor=nobody", "<strong>actor nobody</strong>"),
        ("/prints?queue=none", "<strong>queue none</strong>"),
    ] {
        let page = browser.get(path);
        assert!(page.status == 200 && page.text.contains(says), "{path}: {}", page.text);
    }
    for (path, status) in [
        ("/runs?since=yesterday", 400),
        ("/events?before=x", 400),
        ("/events?stream=nonsense", 400),
        ("/events/99999999", 404),
        ("/events/0", 404),
        ("/events/18446744073709551615", 404),
        ("/jobs/nobody", 404),
        ("/runs/nobody%40request-1", 404),
        ("/hosts/nobody", 404),
        ("/backups/nobody", 404),
        ("/prints/forms/nobody", 404),
        ("/prints/documents/00", 404),
    ] {
        let page = browser.get(path);
        assert_eq!((page.status, page.text.matches("<h1").count()), (status, 1), "{path}");
    }
}

fn state_of(up: &Up, run: &str) -> String {
    let shown = up.call(&["run-show", run, "-o", "json"]).ended(0).json();
    let state = &shown["run"]["state"];
    state["outcome"].as_str().or(state["is"].as_str()).unwrap().to_owned()
}

#[test]
fn forms_pause_run_cancel_and_repeat_and_say_why_they_could_not() {
    let site = Site::start();
    let (up, browser) = (&site.up, Browser::of_admin(&site.up));
    let paused =
        browser.act("/jobs/payroll.nightly", &[("act", "pause"), ("reason", "the bank is shut")]);
    assert_eq!(paused.heading(), "payroll.nightly paused");
    assert!(paused.text.contains("the bank is shut"));
    let again = browser.send("/jobs/payroll.nightly", &[("act", "pause"), ("reason", "again")]);
    assert_eq!(
        (again.status, again.text.contains("role=\"alert\"")),
        (409, true),
        "{}",
        again.text
    );
    let silent = browser.send("/jobs/payroll.nightly", &[("act", "resume")]);
    assert_eq!(silent.status, 400, "{}", silent.text);
    browser.act("/jobs/payroll.nightly", &[("act", "resume"), ("reason", "it is open")]);

    let wanted = [("act", "run"), ("reason", "at once"), ("given.mode", "wet")];
    let run = browser.act("/jobs/payroll.nightly", &wanted);
    assert!(run.text.contains("mode=wet"), "{}", run.text);

    let long = ask(up, "long");
    wait::until("it to run", SOON, || state_of(up, &long) == "running").unwrap();
    let path = format!("/runs/{}", encoded(long.trim_start_matches("run/")));
    browser.act(&path, &[("act", "cancel"), ("reason", "enough")]);
    assert_eq!(ended(up, &long), "cancelled");
    let failed = site.run("fails");
    let path = format!("/runs/{}", encoded(failed.trim_start_matches("run/")));
    let repeated = browser.act(&path, &[("act", "rerun"), ("reason", "once more")]);
    assert!(repeated.text.contains("repeats") && repeated.heading() != failed, "{}", repeated.text);
    let odd = browser.send(&path, &[("act", "destroy"), ("reason", "why not")]);
    assert!(odd.status == 400 && odd.text.contains("is nothing that is done to a run"));
    hosts_and_prints(&site, &browser);
    stock_and_snapshots(&site, &browser);
    searches(&site, &browser);
    a_viewer_is_offered_nothing(&site, &browser);
    site.up.stop();
}

fn hosts_and_prints(site: &Site, browser: &Browser) {
    let hosts = browser.get("/hosts");
    let host =
        hosts.attributes("href").into_iter().find(|href| href.starts_with("/hosts/")).unwrap();
    let host = host.split('#').next().unwrap().to_owned();
    let drained = browser.act(&host, &[("act", "drain"), ("reason", "a new disk")]);
    assert!(drained.heading().ends_with("drained") && drained.text.contains("a new disk"));
    browser.act(&host, &[("act", "resume"), ("reason", "it is in")]);
    site.run("reports");
    let held = wait_for_states(&site.up, &["held"]);
    let queue = browser
        .act("/prints/queues", &[("queue", "office"), ("act", "hold"), ("reason", "no paper")]);
    assert!(queue.text.contains(">held</span> no paper"), "{}", queue.text);
    let path = format!("/prints/documents/{}", id(&held[0]));
    browser.act(&path, &[("act", "release"), ("reason", "it is wanted")]);
    let cancelled = browser.act(&path, &[("act", "cancel"), ("reason", "it is not")]);
    assert!(cancelled.heading().ends_with("cancelled"), "{}", cancelled.heading());
    other_acts(browser, &path);
    let alone = browser.send("/hosts", &[("name", "db-07"), ("reason", "a new one")]);
    assert!(alone.status == 409 && alone.text.contains("is one process"), "{}", alone.text);
}

/// What else is done with a document; each reaches the rule that is for it.
fn other_acts(browser: &Browser, path: &str) {
    let lost = browser.get(path).text;
    assert!(lost.contains("value=\"reprint\"") && !lost.contains("value=\"resolve\""), "{lost}");
    for (act, field, status, says) in [
        ("reprint", ("pages", "7-3"), 400, "are no pages"),
        ("move", ("queue", "nowhere"), 404, "active queue nowhere"),
        ("approve-reprint", ("pages", ""), 409, "nothing is asked for"),
        ("decline-reprint", ("pages", ""), 409, "nothing is asked for"),
        ("resolve", ("impressions", "2"), 409, "role=\"alert\""),
        ("retry", ("pages", ""), 409, "role=\"alert\""),
    ] {
        let page = browser.send(path, &[("act", act), field, ("reason", "to see")]);
        assert!(
            page.status == status && page.text.contains(says),
            "{act}: {} {}",
            page.status,
            page.text
        );
    }
}

fn searches(site: &Site, browser: &Browser) {
    let view = "type=run.failed&group=stream";
    let said = |act| [("act", act), ("name", "failed"), ("query", view)];
    let kept = browser.act("/events", &said("keep"));
    let link = "<a href=\"/events?type=run.failed&#38;group=stream\">failed</a>";
    assert!(kept.text.contains("Your searches") && kept.text.contains(link), "{}", kept.text);
    assert!(kept.text.contains("<code>run.failed</code>"), "{}", kept.text);
    let shown = site.up.call(&["user", "show", "admin"]).ended(0).out;
    assert!(shown.contains("search    failed: type=run.failed&group=stream"), "{shown}");
    assert!(!browser.act("/events", &said("forget")).text.contains("Your searches"));
    let none = browser.send("/events", &said("forget"));
    assert!(none.status == 409 && none.text.contains("there is no such search"), "{}", none.text);
    site.up.call(&["user", "filter", "mine", "actor=admin"]).ended(0);
    assert!(browser.get("/events").text.contains("actor=admin"));
}

fn stock_and_snapshots(site: &Site, browser: &Browser) {
    let form = "/prints/forms/checks";
    let numbers =
        |act, first, last| [("act", act), ("first", first), ("last", last), ("reason", "box 12")];
    let loaded = browser.act(form, &numbers("load", "1001", "1100"));
    assert!(loaded.text.contains("for a second person"), "{}", loaded.text);
    let seen = browser.act(form, &numbers("witness", "1001", "1100"));
    assert!(seen.text.contains("in the tray"), "{}", seen.text);
    let void = browser.act(form, &numbers("void", "1001", "1002"));
    assert!(void.text.contains("98 left, next 001003"), "{}", void.text);
    browser.act(form, &numbers("spoil", "1003", "1003"));
    for act in ["return", "slip", "printed"] {
        let none = browser.send(form, &numbers(act, "1005", "1006"));
        assert!(matches!(none.status, 404 | 409), "{act}: {} {}", none.status, none.text);
    }
    let none = browser.send(form, &numbers("load", "many", "1100"));
    assert!(none.status == 400 && none.text.contains("first is a number"), "{}", none.text);
    let twice = browser.send(form, &numbers("load", "1050", "1200"));
    assert!(twice.status == 409 && twice.text.contains("role=\"alert\""), "{}", twice.text);
    let fates = browser.act(form, &numbers("unload", "1004", "")).text;
    assert!(fates.contains("spoiled") && fates.contains("taken out"), "{fates}");

    site.run("save");
    let page = browser.get("/backups/files");
    let name = page.text.split("data-label=\"Snapshot\" class=\"mono\">").nth(1).unwrap();
    let name = name.split('<').next().unwrap().to_owned();
    let say = |act, reason| {
        browser.act("/backups/files", &[("act", act), ("snapshot", &*name), ("reason", reason)])
    };
    assert!(say("hold", "the lawyers want it").text.contains("on hold: the lawyers want it"));
    assert!(!say("end-hold", "they do not").text.contains("on hold"));
    let asked = say("forget", "it holds a secret");
    assert!(asked.text.contains("user/admin asks that 1 snapshots"), "{}", asked.text);
    let declined = browser.act("/backups/files", &[("act", "decline-forget"), ("reason", "no")]);
    assert!(!declined.text.contains("asks that 1 snapshots"), "{}", declined.text);
    say("forget", "it does, really");
    let agreed = [("act", "approve-forget"), ("reason", "I looked")];
    let approved = browser.act("/backups/files", &agreed);
    assert!(approved.text.contains("approved by user/admin"), "{}", approved.text);
}

/// Without a role that acts, a page has no form but that which leaves, and what is sent all the same is denied.
fn a_viewer_is_offered_nothing(site: &Site, admin: &Browser) {
    let made =
        admin.send("/people", &[("name", "vera"), ("grants", "viewer"), ("reason", "to look")]);
    assert_eq!(made.status, 200, "{}", made.text);
    let code = made.text.split("<pre>").nth(1).unwrap().split("</pre>").next().unwrap();
    let viewer = Browser::by_code(&site.up, "vera", code);
    let run = admin.get("/runs").attributes("href");
    let run = run.into_iter().find(|href| href.starts_with("/runs/fails")).unwrap();
    for path in ["/jobs/payroll.nightly", "/prints/queues", "/backups/files", &run] {
        let page = viewer.get(path);
        assert_eq!((page.status, page.text.matches("method=\"post\"").count()), (200, 1), "{path}");
    }
    assert!(viewer.get(&run).text.contains("do not let you read the output"));
    let form = viewer.get("/schedules/new?job=fails");
    assert!(form.text.contains("do not let you propose jobs") && !form.text.contains("fieldset"));
    let wish = [("name", "x"), ("expression", "@daily"), ("argv", "x"), ("reason", "why not")];
    let denied = viewer.send("/schedules/new", &wish);
    assert!(denied.status == 403 && denied.text.contains("role=\"alert\""), "{}", denied.text);
    let denied = viewer.send("/jobs/payroll.nightly", &[("act", "pause"), ("reason", "why not")]);
    assert!(denied.status == 403 && denied.text.contains("role=\"alert\""), "{}", denied.text);
}

#[test]
fn a_list_of_many_jobs_goes_on_behind_the_last_name_of_each_page_and_none_is_heavy() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jobs.yaml");
    let job = |n: usize| {
        let name = format!("folder.{:a<40}.{n:03}", "many-words-in-its-name");
        format!(
            "name: {name}\nowner: those-who-answer-for-it\nschedule: {{ cron: '*/5 1-5 * * 1-5' }}\n\
             zone: America/New_York\ncommand: {{ argv: [/bin/true] }}\n"
        )
    };
    fs::write(&path, (0..130).map(job).collect::<Vec<_>>().join("---\n")).unwrap();
    let up = Up::start(&dir.path().join("data"), &[&path]);
    let browser = Browser::of_admin(&up);
    let jobs_of = |page: &Page| {
        let own = page.attributes("href").into_iter();
        own.filter(|href| href.starts_with("/jobs/")).collect::<Vec<_>>()
    };
    let first = browser.get("/jobs?state=active");
    let next = first.attributes("href").into_iter().find(|href| href.contains("after=")).unwrap();
    let second = browser.get(&next);
    assert!(next.contains("state=active"), "{next}");
    assert_eq!((jobs_of(&first).len(), jobs_of(&second).len()), (100, 30));
    assert!(!second.text.contains("rel=\"next\""));
    assert_eq!(flaws("/jobs", &first), [""; 0]);
    assert_eq!(jobs_of(&browser.get("/jobs?name=.007")).len(), 1);
    lanes_of_many_jobs(&browser);
    let events = browser.get("/events?type=job.approved");
    assert_eq!(events.text.matches("<code>job.approved</code>").count(), 100);
    let older =
        events.attributes("href").into_iter().find(|href| href.contains("before=")).unwrap();
    assert_eq!(browser.get(&older).text.matches("<code>job.approved</code>").count(), 30);
    assert_eq!(flaws("/events", &events), [""; 0]);
    let of_admin = browser.get("/events?actor=admin&type=job.proposed");
    assert_eq!(of_admin.text.matches("<code>job.proposed</code>").count(), 100);
    up.stop();
}

/// Each job has its lane once, on some page.
fn lanes_of_many_jobs(browser: &Browser) {
    let (mut lanes, mut to) = (Vec::new(), Some("/timeline?hours=100".to_owned()));
    while let Some(path) = to {
        let page = browser.get(&path);
        assert_eq!(flaws(&path, &page), [""; 0]);
        let some = planning::lanes(&page);
        assert!((1..=40).contains(&some.len()), "{path}: {}", some.len());
        lanes.extend(some);
        let links = page.attributes("href").into_iter();
        to = links.into_iter().find(|href| href.contains("after="));
        assert_eq!(to.is_some(), page.text.contains("there are more lanes"), "{path}");
    }
    let wanted: std::collections::BTreeSet<&String> = lanes.iter().collect();
    assert_eq!((lanes.len(), wanted.len()), (130, 130));
    assert!(lanes.is_sorted());
    let hosts = browser.get("/timeline?hours=100&by=host");
    assert_eq!(flaws("/timeline", &hosts), [""; 0]);
    assert!(hosts.text.contains(" occurrences after ") && hosts.text.contains("are left out"));
}
