//! config check and show, completions, bench.

use std::time::Duration;

use super::Desk;
use crate::programs::{call, decklog, run, run_for};

/// How long a quick measurement may take on a slow machine.
const BENCH: Duration = Duration::from_secs(120);

#[test]
fn check_says_all_problems_at_once() {
    let desk = Desk::new();
    let bad = desk.file(
        "bad.toml",
        "[nats]\nurl = 'nats://a:4222'\n\
         [audit]\nname = 'A B'\ndatabase = 'postgres://u:secret@h/d'\ndata = '/a'\nbatch-events = 0\n\
         [scheduler]\ndata = '/s'\ngracee = '2s'\n\
         [executor]\nhost = 'h'\ndata = '/e'\nslots = 0\n",
    );
    let said = run(decklog(["config", "check", "--config"]).arg(&bad)).ended(2);
    for part in ["audit.name", "audit.batch-events", "gracee", "executor.slots", "executor.allow"] {
        assert!(said.err.contains(part), "{part} in {}", said.err);
    }
    assert!(!said.err.contains("secret"), "{}", said.err);
    run(decklog(["config", "check", "--config"]).arg(desk.path("nothing.toml"))).ended(2);
    let good = desk.file("good.toml", "[console]\ndata = '/c'\n");
    let said = run(decklog(["config", "check", "--config"]).arg(&good)).ended(0);
    assert_eq!(said.out, format!("{}: ok\n", good.display()));
}

#[test]
fn show_says_of_each_value_where_it_comes_from() {
    let desk = Desk::new();
    let file = desk.file(
        "decklog.toml",
        "[audit]\ndatabase = 'postgres://u:secret@h/d'\ndata = '/a'\nname = 'one'\n",
    );
    let mut show = decklog(["config", "show", "--origin", "--config"]);
    let shown = run(show.arg(&file).env("DECKLOG__AUDIT__NAME", "two")).ended(0).out;
    let from_file = format!("data = \"/a\"  # file {}", file.display());
    for line in [
        "name = \"two\"  # environment DECKLOG__AUDIT__NAME",
        "head-every = \"10s\"  # default",
        &from_file,
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line} in\n{shown}");
    }
    assert!(!shown.contains("secret"), "{shown}");
}

#[test]
fn completions_are_scripts_their_shell_can_read() {
    let dir = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(&mut decklog(["completions", shell])).ended(0).out;
        assert!(script.contains("decklog") && script.contains("verify"), "{shell}: {script}");
        if shell == "bash" {
            let file = dir.path().join("decklog.bash");
            std::fs::write(&file, script).unwrap();
            run(std::process::Command::new("bash").arg("-n").arg(&file)).ended(0);
        }
    }
    run(&mut decklog(["completions", "cmd.exe"])).ended(2);
}

/// What is measured depends on the machine, that there is a figure beside its limit does not.
#[test]
fn bench_prints_each_figure_beside_its_limit() {
    let said = run_for(&mut decklog(["bench", "append", "--quick", "-o", "json"]), BENCH).ended(0);
    let figures = said.json();
    let first = &figures[0];
    assert!(first["value"].as_f64().unwrap() > 0.0, "{figures:#}");
    let ratio = first["value"].as_f64().unwrap() / first["limit"][1].as_f64().unwrap();
    assert!((first["ratio"].as_f64().unwrap() - ratio).abs() < 1e-9, "{figures:#}");
}

/// A site with a past is made by the recorder's rules, and every page of its console is asked for.
#[test]
fn bench_makes_a_site_that_verify_accepts_and_prints_how_long_each_page_takes() {
    let desk = Desk::new();
    let site = ["--jobs", "20", "--runs", "100", "--events", "402", "--dir"];
    let bench = |what: &str| {
        let mut bench = decklog(["bench", what, "-o", "json"]);
        run_for(bench.args(site).arg(desk.path("")), BENCH).ended(0).json()
    };
    let made = bench("seed");
    assert!(made[0]["measure"].as_str().unwrap().contains("20 jobs, 100 runs"), "{made:#}");
    let verified = call(&desk.path("site"), &["verify", "-o", "json"]).ended(0).json();
    assert_eq!((&verified["runs"], &verified["void"]), (&100.into(), &0.into()), "{verified:#}");
    let pages = bench("pages");
    let pages = pages.as_array().unwrap();
    let of = |what: &str| pages.iter().find(|figure| figure["measure"] == what);
    for page in ["/night", "/jobs", "/jobs?name=job-7", "/runs?state=failed", "/events", "/docs"] {
        let slow = of(&format!("{page}: p95")).unwrap_or_else(|| panic!("no {page} in {pages:#?}"));
        assert!(slow["value"].as_f64().unwrap() > 0.0 && slow["limit"][1] == 100.0, "{slow:#}");
        assert!(of(&format!("{page}: size")).unwrap()["value"].as_f64().unwrap() > 1.0);
    }
    assert!(pages.iter().any(|figure| {
        let measure = figure["measure"].as_str().unwrap();
        measure.starts_with("/runs/folder-0.job-") && measure.ends_with(": p50")
    }));
}

/// Everything of ours beside every program that is there; one that is not there is said to be missing.
#[test]
fn bench_of_backups_prints_each_phase_beside_the_programs_that_are_there() {
    let mut bench = decklog(["bench", "backup", "-o", "json", "--rounds", "1"]);
    bench.args(["--files", "60", "--mebibytes", "2", "--changed", "20"]);
    bench.args(["--restic", "restic", "--restic", "/nowhere/restic", "--borg", "/nowhere/borg"]);
    let said = run_for(&mut bench, BENCH).ended(0);
    for missing in ["/nowhere/restic cannot be run", "/nowhere/borg cannot be run"] {
        assert!(said.err.contains(missing), "{}", said.err);
    }
    let figures = said.json();
    let figures = figures.as_array().unwrap();
    let mut expected = Vec::new();
    for phase in ["full backup", "unchanged backup", "incremental backup"] {
        expected.push(format!("{phase}, read-back 0"));
        expected.push(format!("{phase}, read-back 100"));
    }
    expected.push("restore".to_owned());
    let rows = expected
        .iter()
        .flat_map(|what| ["wall", "CPU", "memory"].map(|quantity| format!("{what}: {quantity}")));
    let mut rows: Vec<String> = rows.collect();
    rows.push("all three backups: repository".to_owned());
    let printed: Vec<&str> = figures.iter().map(|f| f["measure"].as_str().unwrap()).collect();
    assert_eq!(printed, rows);
    for figure in figures {
        assert!(figure["value"].as_f64().unwrap() > 0.0, "{figure:#}");
        assert!(figure["limit"][0].as_str().unwrap().starts_with("restic 0."), "{figure:#}");
        assert!(figure["ratio"].as_f64().unwrap() > 0.0, "{figure:#}");
    }
}
