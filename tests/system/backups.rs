//! A night of backups with real programs: saved, copied, tested, forgotten, pruned, restored, and read by restic. And the
//! same with engines that are killed at any moment.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use testkit::postgres::Postgres;

use crate::programs::{Random, Said, Up, executor, run};

/// How often an engine is killed.
const KILLS: u32 = 20;

/// What is saved, where to, and the jobs that do it.
pub(crate) struct Night {
    root: PathBuf,
}

impl Night {
    pub(crate) fn new(root: &Path) -> Self {
        let night = Self { root: root.to_owned() };
        fs::create_dir_all(night.path("source/deep/deeper")).unwrap();
        fs::create_dir_all(night.path("scratch")).unwrap();
        for number in 0..60_u32 {
            let text = format!("line {number}\n").repeat(200 + number as usize);
            fs::write(night.path(&format!("source/deep/{number}.txt")), text).unwrap();
        }
        std::os::unix::fs::symlink("deep/1.txt", night.path("source/link")).unwrap();
        fs::write(night.path("password"), "correct horse battery staple\n").unwrap();
        night
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Numbers nobody can compress.
    fn random_file(&self, name: &str, bytes: usize, random: &mut Random) {
        let data: Vec<u8> =
            (0..bytes / 8).flat_map(|_| random.between(0, u64::MAX).to_le_bytes()).collect();
        fs::write(self.path(name), data).unwrap();
    }

    /// The site as a file.
    pub(crate) fn site(&self, more: &str) -> PathBuf {
        let (vault, offsite) = (self.text("vault"), self.text("offsite"));
        let (source, password, scratch) =
            (self.text("source"), self.text("password"), self.text("scratch"));
        let text = format!(
            "kind: repository
name: vault
location: {vault}
password: file:{password}
initialise: true
second-opinion: true
---
kind: repository
name: offsite
location: {offsite}
password: file:{password}
initialise: true
---
kind: dataset
name: files
rpo: 26h
copies: 2
retention: {{last: 2}}
---
name: save
kind: backup
backup: {{dataset: files, repository: vault, paths: [{source}]}}
---
name: copy
kind: backup-copy
backup-copy: {{dataset: files, from: vault, to: offsite}}
---
name: check
kind: backup-check
backup-check: {{repository: vault}}
---
name: forget
kind: retention
retention: {{dataset: files, repository: vault}}
---
name: prune
kind: prune
prune: {{repository: vault}}
---
name: restore
kind: restore
parameters:
  to: {{}}
restore: {{dataset: files, repository: vault, to: '{{{{to}}}}'}}
---
name: try
kind: restore-test
restore-test: {{dataset: files, repository: vault, scratch: {scratch}}}
---
name: try-some
kind: restore-test
restore-test: {{dataset: files, repository: vault, scratch: {scratch}, sample: 7}}
{more}"
        );
        let file = self.path("site.yaml");
        fs::write(&file, text).unwrap();
        file
    }

    /// What restic says of a repository.
    fn restic(&self, repository: &str, words: &[&str]) -> Said {
        let mut command = Command::new("restic");
        command.args(["--no-cache", "-r", &self.text(repository)]);
        command.args(["--password-file", &self.text("password")]).args(words);
        run(&mut command)
    }

    /// The snapshots of the dataset in a repository, as restic lists them.
    fn listed(&self, repository: &str) -> Vec<String> {
        let listed = self.restic(repository, &["snapshots", "--json"]).ended(0).json();
        let all = listed.as_array().unwrap().clone();
        let of_files = |one: &&Value| {
            let tags = one["tags"].as_array().into_iter().flatten();
            let mut tags = tags.filter_map(Value::as_str);
            let is = |wanted: &str, mut tags: Vec<&str>| {
                tags.retain(|tag| *tag == wanted);
                !tags.is_empty()
            };
            let tags: Vec<&str> = tags.by_ref().collect();
            is("dataset=files", tags.clone()) && !is("decklog-manifest", tags)
        };
        let mut ids: Vec<String> =
            all.iter().filter(of_files).map(|one| one["id"].as_str().unwrap().to_owned()).collect();
        ids.sort();
        ids
    }
}

/// Runs a job to its end.
pub(crate) fn ran(up: &Up, job: &str, parameters: &[&str]) -> Said {
    let mut words = vec!["run", job, "--reason", "test", "--follow"];
    for parameter in parameters {
        words.extend(["--param", parameter]);
    }
    up.call(&words)
}

#[track_caller]
pub(crate) fn succeeds(up: &Up, job: &str, parameters: &[&str]) {
    ran(up, job, parameters).ended(0);
}

pub(crate) fn dataset(up: &Up, name: &str) -> Value {
    let shown = up.call(&["dataset", "show", name, "-o", "json"]).ended(0).json();
    shown["state"]["body"]["dataset"].clone()
}

/// Names of the snapshots the log knows in a repository, and can be restored.
fn recorded(dataset: &Value, repository: &str) -> Vec<String> {
    let all = dataset["snapshots"].as_array().unwrap().iter();
    let good = all.filter(|one| one["repository"] == repository && one["missing"].is_null());
    let mut ids: Vec<String> = good.map(|one| one["id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

fn same_trees(a: &Path, b: &Path) {
    let mut diff = Command::new("diff");
    run(diff.arg("-r").arg("--no-dereference").arg(a).arg(b)).ended(0);
}

#[test]
fn a_night_is_saved_copied_tested_forgotten_pruned_and_restored_and_restic_agrees() {
    let dir = tempfile::tempdir().unwrap();
    let night = Night::new(dir.path());
    let site = night.site("");
    let up = Up::start(&dir.path().join("data"), &[&site]);
    for number in 1..=4 {
        fs::write(night.path("source/today.txt"), format!("{number}\n")).unwrap();
        succeeds(&up, "save", &[]);
    }
    succeeds(&up, "copy", &[]);
    succeeds(&up, "try", &[]);
    succeeds(&up, "try-some", &[]);
    succeeds(&up, "forget", &[]);
    succeeds(&up, "prune", &[]);
    succeeds(&up, "check", &[]);
    let to = night.text("back");
    succeeds(&up, "restore", &[&format!("to={to}")]);

    let known = dataset(&up, "files");
    assert_eq!(recorded(&known, "vault").len(), 2, "the rule keeps the last two");
    assert_eq!(recorded(&known, "vault"), night.listed("vault"));
    assert_eq!(recorded(&known, "offsite"), night.listed("offsite"));
    let tests = known["tests"].as_array().unwrap();
    let files: Vec<u64> =
        tests.iter().map(|test| test["result"]["files"].as_u64().unwrap()).collect();
    assert_eq!(files, [61, 7], "all of it, and a sample");
    assert!(tests.iter().all(|test| test["result"]["good"] == true), "{tests:?}");
    assert!(tests[1]["result"]["chosen_by"].is_string());
    let scratch: Vec<_> = fs::read_dir(night.path("scratch")).unwrap().collect();
    assert!(scratch.is_empty(), "what was tried is removed: {scratch:?}");
    let source = night.path("source");
    same_trees(&source, &night.path("back").join(source.strip_prefix("/").unwrap()));

    for repository in ["vault", "offsite"] {
        night.restic(repository, &["check", "--read-data"]).ended(0);
    }
    let by_restic = night.text("by-restic");
    let newest = known["snapshots"].as_array().unwrap().iter().rev();
    let newest = newest.clone().find(|one| one["repository"] == "vault").unwrap();
    let id = newest["id"].as_str().unwrap();
    night.restic("vault", &["restore", id, "--target", &by_restic]).ended(0);
    same_trees(&source, &night.path("by-restic").join(source.strip_prefix("/").unwrap()));

    let engines: Vec<&str> =
        known["checks"].as_array().unwrap().iter().filter_map(|c| c["engine"].as_str()).collect();
    assert!(engines.iter().any(|name| name.starts_with("restic")), "{engines:?}");
    assert!(engines.iter().any(|name| name.starts_with("rustic")), "{engines:?}");
    up.call(&["backup", "status"]).ended(0);
    up.call(&["verify"]).ended(0);
    up.stop();
}

/// The host's own list for a night with the restic that writes.
fn letting_restic(night: &Night) -> PathBuf {
    let (program, root) = (testkit::restic::writing().unwrap(), night.root.display());
    let allow = night.path("allow.toml");
    let text = format!(
        "[backup]\nuser = \"*\"\nread = [\"{root}\"]\nwrite = [\"{root}\"]\nrepositories = [\"{root}/*\"]\n\
         secrets = [\"file:{root}/password\"]\nrestic = {program:?}\n"
    );
    fs::write(&allow, text).unwrap();
    allow
}

#[test]
fn a_night_of_restic_is_saved_copied_forgotten_pruned_and_restored_and_the_other_engine_reads_it() {
    let dir = tempfile::tempdir().unwrap();
    let night = Night::new(dir.path());
    let (site, data) = (night.site(""), dir.path().join("data"));
    let text = fs::read_to_string(&site).unwrap();
    fs::write(&site, text.replace("initialise: true", "initialise: true\nengine: restic")).unwrap();
    let allow = letting_restic(&night);
    let up = Up::start_allowing_with(&data, &allow, &[&site]);
    for number in 1..=3 {
        fs::write(night.path("source/today.txt"), format!("{number}\n")).unwrap();
        succeeds(&up, "save", &[]);
    }
    for job in ["copy", "try", "try-some", "forget", "prune", "check"] {
        succeeds(&up, job, &[]);
    }
    let to = night.text("back");
    succeeds(&up, "restore", &[&format!("to={to}")]);
    let source = night.path("source");
    same_trees(&source, &night.path("back").join(source.strip_prefix("/").unwrap()));
    let known = dataset(&up, "files");
    assert_eq!(recorded(&known, "vault").len(), 2, "the rule keeps the last two");
    for repository in ["vault", "offsite"] {
        assert_eq!(recorded(&known, repository), night.listed(repository));
        night.restic(repository, &["check", "--read-data"]).ended(0);
    }
    let engines: Vec<&str> =
        known["checks"].as_array().unwrap().iter().filter_map(|c| c["engine"].as_str()).collect();
    assert!(engines.iter().any(|name| name.starts_with("restic 0.")), "{engines:?}");
    assert!(engines.iter().any(|name| name.starts_with("rustic")), "a second opinion: {engines:?}");

    // The engine built in goes on with the same repositories.
    let text = fs::read_to_string(&site).unwrap();
    fs::write(&site, text.replace("engine: restic", "engine: rustic")).unwrap();
    up.stop();
    let up = Up::start_allowing_with(&data, &allow, &[&site]);
    for job in ["save", "copy", "try", "check", "forget"] {
        succeeds(&up, job, &[]);
    }
    let known = dataset(&up, "files");
    assert_eq!(recorded(&known, "vault"), night.listed("vault"));
    up.call(&["verify"]).ended(0);
    up.stop();
}

#[test]
fn a_repository_that_is_away_is_not_made_anew_and_what_comes_back_protects_again() {
    let dir = tempfile::tempdir().unwrap();
    let night = Night::new(dir.path());
    let up = Up::start(&dir.path().join("data"), &[&night.site("")]);
    for _ in 0..3 {
        succeeds(&up, "save", &[]);
    }
    fs::rename(night.path("vault"), night.path("unplugged")).unwrap();
    for job in ["save", "check", "try"] {
        ran(&up, job, &[]).ended(1);
    }
    assert!(!night.path("vault").exists(), "a new one would look as if all were lost");
    let tests = dataset(&up, "files")["tests"].clone();
    assert_eq!(
        tests[0]["result"]["good"], false,
        "a test that could not begin has failed: {tests}"
    );
    fs::rename(night.path("unplugged"), night.path("vault")).unwrap();
    succeeds(&up, "save", &[]);
    succeeds(&up, "forget", &[]);
    let known = dataset(&up, "files");
    assert_eq!(recorded(&known, "vault"), night.listed("vault"));
    assert_eq!(recorded(&known, "vault").len(), 2);
    up.stop();
}

#[test]
fn damage_that_touches_every_snapshot_is_found_and_nothing_is_protected_any_more() {
    let dir = tempfile::tempdir().unwrap();
    let night = Night::new(dir.path());
    let up = Up::start(&dir.path().join("data"), &[&night.site("")]);
    succeeds(&up, "save", &[]);
    succeeds(&up, "save", &[]);
    for prefix in fs::read_dir(night.path("vault/data")).unwrap().flatten() {
        for pack in fs::read_dir(prefix.path()).unwrap().flatten() {
            let mut bytes = fs::read(pack.path()).unwrap();
            bytes[0] ^= 1;
            let mut permissions = fs::metadata(pack.path()).unwrap().permissions();
            std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o600);
            fs::set_permissions(pack.path(), permissions).unwrap();
            fs::write(pack.path(), bytes).unwrap();
        }
    }
    ran(&up, "check", &[]).ended(1);
    let known = dataset(&up, "files");
    let all = known["snapshots"].as_array().unwrap();
    assert!(all.iter().all(|one| one["damaged"].is_array()), "{known}");
    let status = up.call(&["backup", "status"]).ended(1);
    assert!(status.out.contains("at-risk"), "{status:?}");
    ran(&up, "try", &[]).ended(1);
    up.stop();
}

#[test]
fn people_hold_forget_and_certify_from_the_command_line_and_read_the_recovery_report() {
    let dir = tempfile::tempdir().unwrap();
    let night = Night::new(dir.path());
    let up = Up::start(&dir.path().join("data"), &[&night.site("")]);
    for _ in 0..3 {
        succeeds(&up, "save", &[]);
    }
    let oldest = dataset(&up, "files")["snapshots"][0]["id"].as_str().unwrap()[..12].to_owned();
    let fate = || {
        let fates = up.call(&["backup", "retention", "files", "-o", "json"]).ended(0).json();
        let all = fates.as_array().unwrap().clone();
        all.into_iter().find(|one| one["snapshot"].as_str().unwrap().starts_with(&oldest)).unwrap()
    };
    let act = |words: &[&str]| {
        let words: Vec<&str> = ["backup"].iter().chain(words).copied().collect();
        up.call(&words).ended(0);
    };
    assert_eq!(fate()["keep"], false);
    act(&["hold", "files", &oldest, "--until", "2099-01-01", "--reason", "case 1"]);
    assert_eq!(fate()["keep"], true);
    act(&["end-hold", "files", &oldest, "--reason", "closed"]);
    assert_eq!(fate()["keep"], false);
    let newest = recorded(&dataset(&up, "files"), "vault").pop().unwrap();
    act(&["forget", "files", &newest, "--reason", "by mistake"]);
    act(&["decline-forget", "files", "--reason", "it is evidence"]);
    act(&["forget", "files", &newest, "--reason", "by mistake"]);
    act(&["approve-forget", "files", "--reason", "seen"]);
    succeeds(&up, "forget", &[]);
    assert!(!night.listed("vault").contains(&newest), "two people agreed");
    succeeds(&up, "try", &[]);
    act(&["certify", "files", "--statement", "all there"]);
    assert!(dataset(&up, "files")["tests"][0]["certified"].is_array());
    let again = up.call(&["backup", "certify", "files", "--statement", "all there"]);
    assert_eq!(again.code, 3, "nothing is left to certify: {again:?}");
    let report = up.call(&["backup", "report"]).ended(0).out;
    // Names have no order in time: the report names the newest.
    let kept = recorded(&dataset(&up, "files"), "vault");
    let named = kept.iter().any(|id| report.contains(id));
    assert!(named && report.contains(&night.text("vault")), "{report}");
    up.stop();
}

#[test]
fn where_the_host_does_not_let_a_retention_run_nothing_is_forgotten_in_the_log_either() {
    let dir = tempfile::tempdir().unwrap();
    let night = Night::new(dir.path());
    let data = dir.path().join("data");
    let up = Up::start(&data, &[&night.site("")]);
    for _ in 0..3 {
        succeeds(&up, "save", &[]);
    }
    up.stop();
    let allow = night.path("allow.toml");
    fs::write(&allow, "[backup]\nuser = \"*\"\nrepositories = [\"/elsewhere\"]\n").unwrap();
    let up = Up::start_allowing(&data, &allow);
    ran(&up, "forget", &[]).ended(1);
    let known = dataset(&up, "files");
    assert!(known["forgotten"].is_null(), "{known}");
    assert_eq!(recorded(&known, "vault"), night.listed("vault"));
    assert_eq!(recorded(&known, "vault").len(), 3);
    up.stop();
}

#[test]
fn without_any_service_the_executor_restores_from_the_repository_and_its_password() {
    let dir = tempfile::tempdir().unwrap();
    let night = Night::new(dir.path());
    let up = Up::start(&dir.path().join("data"), &[&night.site("")]);
    succeeds(&up, "save", &[]);
    up.stop();
    let (vault, password, to) = (night.text("vault"), night.text("password"), night.text("back"));
    let bare = |command: &str, more: &[&str]| {
        let words = [command, "--repository", &vault, "--password-file", &password];
        run(executor(words).args(more))
    };
    let listed = bare("snapshots", &[]).ended(0);
    assert_eq!(listed.out.lines().filter(|line| line.contains("files")).count(), 1, "{listed:?}");
    bare("restore", &["--to", &to]).ended(0);
    let source = night.path("source");
    same_trees(&source, &night.path("back").join(source.strip_prefix("/").unwrap()));
    let again = bare("restore", &["--to", &to]);
    assert_ne!(again.code, 0, "what is there is not written over");
    let found = bare("find", &["17.txt"]).ended(0);
    assert!(found.out.contains("deep/17.txt"), "{found:?}");
}

#[test]
fn a_dump_is_loaded_again_by_the_test_and_one_that_fails_leaves_no_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    let night = Night::new(dir.path());
    let postgres = Postgres::start().unwrap();
    for name in ["pay", "fresh"] {
        postgres.create_database(name).unwrap();
    }
    let sql = "create table booking as select i, i * 100 as amount from generate_series(1, 3000) i";
    postgres.psql("pay", sql).unwrap();
    let scratch = night.text("scratch");
    let check = night.text("check");
    let (address, fresh) = (postgres.url("pay"), postgres.url("fresh"));
    fs::write(
        &check,
        format!(
            "#!/bin/sh\nset -eu\npsql -q -v ON_ERROR_STOP=1 '{fresh}' -f \"$DECKLOG_RESTORED/pay.sql\"\n\
             [ \"$(psql -qtA '{fresh}' -c 'select count(*) from booking')\" = 3000 ]\n"
        ),
    )
    .unwrap();
    fs::set_permissions(&check, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let more = format!(
        "---
kind: dataset
name: pay
rpo: 26h
---
name: dump
kind: backup
backup:
  dataset: pay
  repository: vault
  output-of: {{argv: [pg_dump, --no-owner, '--dbname={address}'], file-name: pay.sql}}
---
name: dump-nothing
kind: backup
backup:
  dataset: pay
  repository: vault
  output-of: {{argv: [pg_dump, '--dbname={address}-not'], file-name: pay.sql}}
---
name: load
kind: restore-test
restore-test: {{dataset: pay, repository: vault, scratch: {scratch}, check: {{argv: ['{check}']}}}}
"
    );
    let up = Up::start(&dir.path().join("data"), &[&night.site(&more)]);
    ran(&up, "dump-nothing", &[]).ended(1);
    assert!(dataset(&up, "pay")["snapshots"].as_array().unwrap().is_empty());
    succeeds(&up, "dump", &[]);
    succeeds(&up, "load", &[]);
    let known = dataset(&up, "pay");
    assert_eq!(known["tests"][0]["result"]["check"], 0, "{known}");
    assert_eq!(known["snapshots"].as_array().unwrap().len(), 1);
    up.stop();
}

/// The engines that work for this data directory.
fn engines(data: &Path) -> Vec<Pid> {
    let mark = format!("DECKLOG_ENGINE_REPORT={}", data.display());
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<i32>() else { continue };
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        let mut variables = environment.split(|byte| *byte == 0);
        if variables.any(|one| one.starts_with(mark.as_bytes())) {
            found.push(Pid::from_raw(pid));
        }
    }
    found
}

#[test]
fn engines_killed_at_any_moment_leave_no_damage_and_nothing_that_the_log_does_not_know() {
    let mut random = Random::new();
    let dir = tempfile::tempdir().unwrap();
    let night = Night::new(dir.path());
    let data = dir.path().join("data");
    let up = Up::start(&data, &[&night.site("")]);
    succeeds(&up, "save", &[]);
    let jobs = ["save", "save", "copy", "forget", "prune", "restore", "save"];
    let mut killed = 0;
    for number in 0..KILLS {
        let file = format!("source/random-{}", number % 5);
        night.random_file(&file, 4 << 20, &mut random);
        let job = jobs[random.between(0, jobs.len() as u64) as usize];
        let to = format!("to={}", night.text(&format!("back-{number}")));
        let parameters: &[&str] = if job == "restore" { &[&to] } else { &[] };
        let wait = random.millis(50, 1_500);
        std::thread::scope(|scope| {
            scope.spawn(|| ran(&up, job, parameters));
            // The moment of the kill is the fault.
            std::thread::sleep(wait);
            for engine in engines(&data) {
                killed += u32::from(kill(engine, Signal::SIGKILL).is_ok());
            }
        });
    }
    assert!(killed >= KILLS / 4, "only {killed} engines were there to be killed");
    // What nobody disturbs sets everything right.
    for job in ["save", "copy", "forget", "prune", "check"] {
        succeeds(&up, job, &[]);
    }
    succeeds(&up, "try", &[]);
    let known = dataset(&up, "files");
    for repository in ["vault", "offsite"] {
        night.restic(repository, &["check", "--read-data"]).ended(0);
        let present = night.listed(repository);
        let recorded = recorded(&known, repository);
        let lost: Vec<_> = recorded.iter().filter(|id| !present.contains(id)).collect();
        assert!(lost.is_empty(), "recorded and not there in {repository}: {lost:?}");
        let orphans = known["orphans"].as_array().into_iter().flatten();
        let orphans: Vec<&str> = orphans.filter_map(|one| one["id"].as_str()).collect();
        let unknown: Vec<_> = present
            .iter()
            .filter(|id| !recorded.contains(id) && !orphans.contains(&id.as_str()))
            .collect();
        assert!(unknown.is_empty(), "there and not known in {repository}: {unknown:?}");
        for id in &recorded {
            let target = night.text(&format!("by-restic-{repository}-{}", &id[..8]));
            night.restic(repository, &["restore", id, "--target", &target]).ended(0);
        }
    }
    up.call(&["verify"]).ended(0);
    up.stop();
}
