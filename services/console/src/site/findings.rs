//! What is not as it should be, and what to do about it.

use domain::incident::DEFAULT_TREE;
use jiff::SignedDuration;

use super::{Finding, Log, Site};
use crate::heard::is_silent;
use crate::pages::when;
use crate::pages::words::long;
use crate::pulse::Stalled;

/// An event that waits for a signed head for so long waits too long: one is due every ten seconds.
const UNSIGNED: SignedDuration = SignedDuration::from_mins(5);
/// Most datasets that are named one by one.
const NAMED: usize = 10;

fn bad(says: String, todo: &str, page: &str) -> Finding {
    Finding { urgent: true, says, todo: todo.to_owned(), page: page.to_owned() }
}

fn warn(says: String, todo: &str, page: &str) -> Finding {
    Finding { urgent: false, ..bad(says, todo, page) }
}

/// All that is not as it should be, the worst first.
pub(super) fn findings(site: &Site, tzdb: &str) -> Vec<Finding> {
    let mut found = recorder(site);
    if let Some(log) = &site.log {
        found.extend(head(site, log));
        found.extend(programs(site, log));
        found.extend(hindered(site, log));
        found.extend(hosts(log));
        found.extend(calls(log));
        found.extend(open(log));
        found.extend(at_risk(log));
        found.extend(beside(log, tzdb));
    }
    found.sort_by_key(|one| !one.urgent);
    found
}

fn recorder(site: &Site) -> Vec<Finding> {
    let beat = &site.recorder;
    let mut found = Vec::new();
    let (todo, page) = (
        "see whether decklog audit runs, and whether it reaches NATS and its database: its own log says why",
        "",
    );
    if let Some(problem) = &beat.problem {
        let says = format!(
            "the recorder does not answer: {problem}; it answered last {}",
            when(beat.answered)
        );
        found.push(bad(says, todo, page));
    }
    let stalled = beat.stalled(site.now).filter(|_| beat.problem.is_none());
    found.extend(stalled.map(|stalled| {
        let todo = if matches!(stalled, Stalled::Stuck(_)) {
            "make room where the database is, or see what else it does not like: the recorder tries again by itself"
        } else {
            todo
        };
        bad(stalled.words(when), todo, page)
    }));
    found
}

fn head(site: &Site, log: &Log) -> Option<Finding> {
    let since = log.unsigned_since?;
    let waits = site.now.duration_since(since);
    let says = format!(
        "an event has waited for a signed head for {}: the newest head covers {} of {} events",
        long(waits.as_secs()),
        log.signed,
        log.size
    );
    let todo =
        "see whether a recorder has the key of the heads: its own log says why none is signed";
    (waits > UNSIGNED).then(|| bad(says, todo, ""))
}

fn programs(site: &Site, log: &Log) -> Option<Finding> {
    let counts = log.programs.iter().filter(|one| one.revoked.is_none());
    let mut heard = counts.filter_map(|one| one.heard);
    let any = heard.any(|at| !is_silent(at, site.now));
    let says = "no scheduler is heard: nothing becomes due".to_owned();
    (!any).then(|| bad(says, "start one: decklog scheduler", ""))
}

/// What to do where a program can write nothing.
const NO_ROOM: &str = "make room where its journal is: what it does is not in the log, and it starts nothing, until it can write again";

/// Schedulers that are there and can say nothing.
fn hindered(site: &Site, log: &Log) -> Vec<Finding> {
    let here =
        log.programs.iter().filter(|one| one.heard.is_some_and(|at| !is_silent(at, site.now)));
    let says = |one: &super::Program| {
        let why = one.hindered.as_ref().filter(|_| one.revoked.is_none())?;
        Some(bad(format!("{} {} decides nothing: {why}", one.class, one.name), NO_ROOM, ""))
    };
    here.filter_map(says).collect()
}

fn hosts(log: &Log) -> Vec<Finding> {
    let of = |one: &super::Said| {
        let page = format!("/hosts/{}", one.name);
        if one.says.starts_with("hindered") {
            return bad(format!("host {} is {}", one.name, one.says), NO_ROOM, &page);
        }
        if one.says.starts_with("silent") {
            let todo = "see whether its executor runs and reaches NATS";
            return bad(format!("host {} is {}", one.name, one.says), todo, &page);
        }
        let says = format!("host {} has an executor {}", one.name, one.says);
        warn(says, "bring all programs to one version", &page)
    };
    log.odd_hosts.iter().map(of).collect()
}

fn calls(log: &Log) -> Vec<Finding> {
    let mut found = Vec::new();
    if !log.calls.iter().any(|one| one.tree == DEFAULT_TREE) {
        let says = "there is no call tree default: a failure is nobody's incident".to_owned();
        found.push(warn(says, "define one: kind: call-tree, name: default", "/rota"));
    }
    for one in log.calls.iter().filter(|one| one.failed) {
        let says =
            format!("the last message of call tree {} was not taken: {}", one.tree, one.last);
        let todo = "see what the notifier's settings say of that contact (scheduler.notify)";
        found.push(bad(says, todo, &format!("/incidents/{}", one.incident)));
    }
    found
}

fn open(log: &Log) -> Option<Finding> {
    if log.incidents.is_empty() {
        return None;
    }
    let words: Vec<String> =
        log.incidents.iter().map(|one| format!("{} {}", one.count, one.what)).collect();
    let says = format!("incidents are open: {}", words.join(", "));
    let todo = "acknowledge what you deal with, and resolve what is dealt with";
    let urgent = log.incidents.iter().any(|one| one.what != "minor");
    Some(Finding { urgent, ..bad(says, todo, "/incidents") })
}

fn at_risk(log: &Log) -> Vec<Finding> {
    let todo = "back it up, or repair what its checks found";
    let of = |one: &super::Said| {
        let says = format!("dataset {} is at risk: {}", one.name, one.says);
        bad(says, todo, &format!("/backups/{}", one.name))
    };
    let mut found: Vec<Finding> = log.at_risk.iter().take(NAMED).map(of).collect();
    let more = log.at_risk.len().saturating_sub(NAMED);
    if more > 0 {
        found.push(bad(format!("{more} more datasets are at risk"), todo, "/backups"));
    }
    found
}

fn beside(log: &Log, tzdb: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    if log.access_overdue {
        let says = "nobody has signed for who may do what for too long".to_owned();
        found.push(warn(says, "review who may do what, and sign for it", "/people/review"));
    }
    if !log.tzdb.is_empty() && log.tzdb != tzdb {
        let says = format!(
            "this console reads times by time zone database {tzdb}, and occurrences are decided by {}",
            log.tzdb
        );
        found.push(warn(says, "bring the package tzdata to one version on all machines", ""));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::{Calls, Count, Program, Said};
    use super::*;
    use crate::pulse::Beat;

    fn at(text: &str) -> jiff::Timestamp {
        format!("2026-11-20T{text}Z").parse().unwrap()
    }

    fn log() -> Log {
        let program = |class: &str, heard| Program {
            class: class.to_owned(),
            name: "one".to_owned(),
            heard,
            hindered: None,
            since: at("07:00:00"),
            revoked: None,
        };
        let calls = Calls {
            tree: DEFAULT_TREE.to_owned(),
            ways: vec!["mail".to_owned()],
            last: String::new(),
            failed: false,
            incident: String::new(),
        };
        Log {
            origin: "x".to_owned(),
            size: 9,
            signed: 8,
            signed_until: Some(at("07:59:00")),
            archived: 0,
            unsigned_since: Some(at("07:59:55")),
            producers: Vec::new(),
            programs: vec![program("audit", None), program("scheduler", Some(at("07:59:58")))],
            hosts: Vec::new(),
            odd_hosts: Vec::new(),
            incidents: Vec::new(),
            at_risk: Vec::new(),
            calls: vec![calls],
            rules: Vec::new(),
            tzdb: "2026c".to_owned(),
            access_overdue: false,
        }
    }

    fn site(log: Option<Log>) -> Site {
        let recorder = Beat {
            problem: None,
            answered: at("08:00:00"),
            took_ms: 2,
            position: 9,
            newest: Some(at("07:59:55")),
            stuck: None,
        };
        let (now, findings, console) = (at("08:00:00"), Vec::new(), Vec::new());
        Site { now, findings, recorder, log, console }
    }

    fn said(name: &str, says: &str) -> Said {
        Said { name: name.to_owned(), says: says.to_owned() }
    }

    #[test]
    fn a_site_that_is_as_it_should_be_has_no_finding() {
        assert_eq!(findings(&site(Some(log())), "2026c"), []);
    }

    #[test]
    fn each_thing_that_is_wrong_is_said_with_what_to_do() {
        type Spoil = fn(&mut Log);
        let table: [(Spoil, bool, &str); 12] = [
            (
                |log| log.programs[1].hindered = Some("no space left".to_owned()),
                true,
                "scheduler one decides nothing: no space left",
            ),
            (
                |log| log.odd_hosts = vec![said("h", "hindered: no space")],
                true,
                "host h is hindered: no space",
            ),
            (|log| log.unsigned_since = Some(at("07:50:00")), true, "for 10 min 0 s"),
            (|log| log.programs.truncate(1), true, "no scheduler is heard"),
            (
                |log| log.programs[1].revoked = Some("it was stolen".to_owned()),
                true,
                "no scheduler is heard",
            ),
            (|log| log.odd_hosts = vec![said("h", "silent: since")], true, "host h is silent"),
            (|log| log.odd_hosts = vec![said("h", "of version 0.0.1")], false, "version 0.0.1"),
            (|log| log.calls.clear(), false, "no call tree default"),
            (|log| log.calls[0].failed = true, true, "was not taken"),
            (
                |log| log.incidents = vec![Count { what: "minor".into(), count: 2 }],
                false,
                "incidents are open: 2 minor",
            ),
            (|log| log.at_risk = vec![said("d", "too old")], true, "dataset d is at risk"),
            (|log| log.access_overdue = true, false, "nobody has signed"),
        ];
        for (spoil, urgent, says) in table {
            let mut log = log();
            spoil(&mut log);
            let found = findings(&site(Some(log)), "2026c");
            let [one] = found.as_slice() else { panic!("{says}: {found:?}") };
            assert!(one.says.contains(says) && one.urgent == urgent, "{one:?}");
            assert!(!one.todo.is_empty());
        }
        assert!(findings(&site(Some(log())), "2026b")[0].says.contains("2026b"));
        let mut away = site(None);
        away.recorder.problem = Some("no responders".to_owned());
        let found = findings(&away, "2026c");
        assert!(found.len() == 1 && found[0].says.contains("no responders"), "{found:?}");
        let mut still = site(Some(log()));
        still.recorder.newest = Some(at("07:40:00"));
        assert!(findings(&still, "2026c")[0].says.contains("has not moved since"));
    }

    #[test]
    fn many_datasets_at_risk_are_counted() {
        let mut log = log();
        log.at_risk = (0..13).map(|n| said(&format!("d{n}"), "too old")).collect();
        let found = findings(&site(Some(log)), "2026c");
        assert_eq!(found.len(), NAMED + 1);
        assert!(found[NAMED].says.contains("3 more datasets"), "{found:?}");
    }
}
