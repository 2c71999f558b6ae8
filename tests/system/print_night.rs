//! The example of the README that ends on paper: its printer is `ippeveprinter`, its mail server aiosmtpd, its sheets are
//! read by poppler; our own pages by the same command.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::port::free;
use testkit::wait;

use crate::prints::sent::up_sending;
use crate::prints::{SOON, ended, wait_for_states};
use crate::programs::{decklog, run};

/// What the example calls its directory, and its printer's port.
const PLACE: &str = "/tmp/decklog-print-night";
const PORT: &str = ":8631/";

/// The example in a directory of its own, with its printer and its mail server.
struct Example {
    dir: tempfile::TempDir,
    printer: u16,
    mail: u16,
}

impl Example {
    fn prepare() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let example = Self { dir, printer: free().unwrap(), mail: free().unwrap() };
        run(&mut example.preparing()).ended(0);
        let site = fs::read_to_string(source().join("morning.yaml")).unwrap();
        let here = example.dir.path().to_str().unwrap();
        let site = site.replace(PLACE, here).replace(PORT, &format!(":{}/", example.printer));
        fs::write(example.path("morning.yaml"), site).unwrap();
        example
    }

    fn preparing(&self) -> Command {
        let mut command = Command::new(source().join("prepare"));
        command.env("DIR", self.dir.path()).env("DECKLOG", decklog([""; 0]).get_program());
        command.env("PRINTER_PORT", self.printer.to_string());
        command.env("MAIL_PORT", self.mail.to_string());
        command
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// What lies in one of its directories.
    fn files(&self, name: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path(name)).map(|all| all.map(|one| one.unwrap().path()));
        entries.map(Iterator::collect).unwrap_or_default()
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.preparing().arg("--stop").output();
    }
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("examples/print-night")
}

/// The text of a PDF as poppler reads it.
fn text(pdf: &Path) -> String {
    run(Command::new("pdftotext").arg("-layout").arg(pdf).arg("-")).ended(0).out
}

#[test]
fn the_night_of_the_readme_ends_on_paper_and_in_the_mail_of_those_who_review_it() {
    let example = Example::prepare();
    let data = example.path("data");
    let site = example.path("morning.yaml");
    let up = up_sending(&data, &site, &example.path("mail.toml"), &example.path("lists"));
    let asked = |job: &str| {
        let words = ["run", job, "--reason", "as the README says", "-o", "json"];
        let asked = up.call(&words).ended(0).json();
        asked["stream"].as_str().unwrap().to_owned()
    };
    assert_eq!(ended(&up, &asked("close.archive")), "failed");
    let review = asked("morning.review");
    assert_eq!(ended(&up, &review), "succeeded", "{}", up.call(&["logs", &review]).out);
    let print = asked("morning.print");
    assert_eq!(ended(&up, &print), "succeeded", "{}", up.call(&["logs", &print]).out);
    let printed = wait_for_states(&up, &["printed"]);
    wait::until("both mails", SOON, || example.files("mailbox/new").len() == 2).unwrap();
    let sheets = example.files("paper");
    assert_eq!(printed[0]["pages"], sheets.len(), "{sheets:?}");
    let page = text(&example.path("out/review.pdf"));
    for words in ["Corner Shop", "close.archive", "the shift lead"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let mut received: Vec<String> =
        example.files("mailbox/new").iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    received.sort();
    assert!(received.iter().all(|mail| mail.contains("application/pdf")), "{received:?}");
    assert!(received.iter().any(|mail| mail.contains("audit@corner-shop.example")), "{received:?}");
    up.call(&["print", "reconcile"]).ended(0);
    up.stop();
    run(decklog(["verify", "--data"]).arg(&data)).ended(0);
}

#[test]
fn the_head_of_the_day_is_a_page_whose_code_is_the_head_and_no_file_is_replaced_by_it() {
    let dir = tempfile::tempdir().unwrap();
    let site = dir.path().join("jobs.yaml");
    fs::write(&site, "name: one\ncommand: { script: 'true' }\n").unwrap();
    let data = dir.path().join("data");
    let up = crate::programs::Up::start(&data, &[&site]);
    let run_of_it = up.call(&["run", "one", "--reason", "so that there is a run", "-o", "json"]);
    ended(&up, run_of_it.ended(0).json()["stream"].as_str().unwrap());
    let pdf = dir.path().join("head.pdf");
    let words = ["report", "daily-head", "--site", "Corner Shop", "--to", pdf.to_str().unwrap()];
    let mut made = None;
    wait::until("a signed head", SOON, || {
        let said = up.call(&words);
        let is_there = said.code == 0;
        made = Some(said);
        is_there
    })
    .unwrap_or_else(|error| panic!("{error}: {made:?}"));
    assert!(text(&pdf).contains("Corner Shop"));
    let before = fs::read(&pdf).unwrap();
    up.call(&words).ended(2);
    assert_eq!(
        fs::read(&pdf).unwrap(),
        before,
        "a page that somebody may have signed is not replaced"
    );
    let sheet = dir.path().join("head");
    run(Command::new("pdftoppm").args(["-r", "150", "-png", "-singlefile"]).arg(&pdf).arg(&sheet))
        .ended(0);
    let mut scan = Command::new("zbarimg");
    scan.args(["--quiet", "--raw", "--nodbus", "-Sdisable", "-Sqrcode.enable"]);
    let code = run(scan.arg(sheet.with_extension("png"))).ended(0).out;
    let head = dir.path().join("head.txt");
    fs::write(&head, &code).unwrap();
    let verify = |head: &Path| up.call(&["verify", "--head", head.to_str().unwrap()]);
    assert!(verify(&head).ended(0).out.contains("1 of them kept outside"));
    let root = code.lines().nth(2).unwrap();
    let other = format!("{}{}", if root.starts_with('A') { 'B' } else { 'A' }, &root[1..]);
    for (wrong, ends) in [(code.replace(root, &other), 1), (code[..20].to_owned(), 2)] {
        fs::write(&head, wrong).unwrap();
        verify(&head).ended(ends);
    }
    let elsewhere = crate::programs::Up::start(&dir.path().join("another"), &[&site]);
    fs::write(&head, &code).unwrap();
    let path = head.to_str().unwrap();
    let said = elsewhere.call(&["verify", "--head", path]).ended(1).out;
    assert!(said.contains("FINDING"), "of another log: {said}");
    elsewhere.stop();
    up.stop();
}
