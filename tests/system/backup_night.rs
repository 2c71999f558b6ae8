//! The example of the README: a night of a directory, a SQLite and a PostgreSQL database, in a directory of the test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use testkit::wait;

use crate::programs::{Up, executor, run};

/// What the example calls its directory.
const PLACE: &str = "/tmp/decklog-backup-night";
/// How long the night may take.
const NIGHT: Duration = Duration::from_secs(240);

/// The example in a directory of its own, with its PostgreSQL server.
struct Example {
    dir: tempfile::TempDir,
}

impl Example {
    fn prepare() -> Self {
        let example = Self { dir: tempfile::tempdir().unwrap() };
        run(&mut example.preparing()).ended(0);
        let site = fs::read_to_string(source().join("backups.yaml")).unwrap();
        let site = site.replace(PLACE, example.dir.path().to_str().unwrap());
        fs::write(example.path("backups.yaml"), site).unwrap();
        example
    }

    fn preparing(&self) -> Command {
        let mut command = Command::new(source().join("prepare"));
        command.env("DIR", self.dir.path());
        command
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.preparing().arg("--stop").output();
    }
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("examples/backup-night")
}

fn state(up: &Up, dataset: &str) -> Value {
    let shown = up.call(&["dataset", "show", dataset, "-o", "json"]).ended(0).json();
    shown["state"]["body"]["dataset"].clone()
}

/// The newest test of a dataset, when there is one that ended.
fn tested(up: &Up, dataset: &str) -> Option<Value> {
    let state = state(up, dataset);
    state["tests"].as_array()?.last().cloned()
}

#[test]
fn the_night_of_the_readme_is_saved_and_its_files_and_both_databases_come_back() {
    let example = Example::prepare();
    let up = Up::start(&example.path("data"), &[&example.path("backups.yaml")]);
    up.call(&["run", "--flow", "saving", "--reason", "first night"]).ended(0);
    let datasets = ["ledger-files", "ledger-db", "payroll"];
    wait::until("all three were restored", NIGHT, || {
        datasets.iter().all(|name| tested(&up, name).is_some())
    })
    .unwrap();
    for name in datasets {
        let test = tested(&up, name).unwrap();
        assert_eq!(test["result"]["good"], true, "{name}: {test}");
        up.call(&["backup", "certify", name, "--statement", "the totals are there"]).ended(0);
    }
    for name in ["ledger-db", "payroll"] {
        let test = tested(&up, name).unwrap();
        assert_eq!(test["result"]["check"], 0, "{name}: its own check counted the rows: {test}");
    }
    up.stop();
    on_another_host(&example);
}

/// All there is there is the copy, its password and one program.
fn on_another_host(example: &Example) {
    fs::rename(example.path("vault"), example.path("burnt")).unwrap();
    let (offsite, to) = (example.path("offsite"), example.path("elsewhere"));
    let mut restore = executor(["restore", "--dataset", "ledger-files"]);
    restore.arg("--repository").arg(&offsite);
    restore.arg("--password-file").arg(example.path("offsite.password"));
    restore.arg("--to").arg(&to).arg("--path").arg(example.path("ledger"));
    run(&mut restore).ended(0);
    run(Command::new("diff").arg("-r").arg(example.path("ledger")).arg(&to)).ended(0);
    let mut restic = Command::new("restic");
    restic.arg("--no-cache").arg("-r").arg(&offsite).args(["check", "--read-data"]);
    restic.arg("--password-file").arg(example.path("offsite.password"));
    run(&mut restic).ended(0);
}
