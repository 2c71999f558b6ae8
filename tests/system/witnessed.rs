//! From a running site to evidence that somebody else verifies: a witness on another port, an export, the verifier that knows
//! no server, and one in another language.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use testkit::authority::{Authority, Served};
use testkit::process::Daemon;
use testkit::wait;

use crate::programs::{Said, Up, call, decklog, run, verifier};

/// How long a head and its cosignature may take, on a machine that has other things to do.
const SOON: Duration = Duration::from_secs(180);
/// What a site has to show for itself.
const JOBS: &str = "name: count\nschedule: { every: 1s }\ncommand: { script: 'echo counted' }\n";

/// A site that has run a little, the key of its log, and the beginning of a policy.
struct Site {
    dir: tempfile::TempDir,
    key: String,
}

impl Site {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("jobs.yaml"), JOBS).unwrap();
        let site = Self { dir, key: String::new() };
        site.up(&[]).stop();
        let policy = call(&site.data(), &["evidence", "policy"]).ended(0).out;
        let key = policy.lines().find_map(|line| line.strip_prefix("log ")).unwrap().to_owned();
        Self { key, ..site }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn data(&self) -> PathBuf {
        self.path("data")
    }

    fn up(&self, more: &[&Path]) -> Up {
        let mut command = decklog(["up", "--listen", "127.0.0.1:0"]);
        command.args(more);
        Up::started(command, &self.data(), &[&self.path("jobs.yaml")])
    }

    fn witness_command(&self, name: &str) -> Command {
        let mut command = decklog(["witness", "--listen", "127.0.0.1:0", "--name", name]);
        command.args(["--log", &self.key, "--data"]).arg(self.path("witness"));
        command
    }

    /// A witness, and the line by which it goes into a policy.
    fn witness(&self) -> (Daemon, String) {
        let mut witness = Daemon::spawn(&mut self.witness_command("witness.example/w1")).unwrap();
        let line = witness.wait_for_line("witness NAME ", SOON).unwrap();
        (witness, line.trim().replace("NAME", "outside"))
    }

    /// The policy of somebody who believes this witness.
    fn policy(&self, witness: &str) -> PathBuf {
        let path = self.path("policy");
        fs::write(&path, format!("log {}\n{witness}\nquorum outside\n", self.key)).unwrap();
        path
    }

    /// The same bundle with another word in one of its entries.
    fn forged(&self, bundle: &Path) -> PathBuf {
        let mut bytes = fs::read(bundle).unwrap();
        let at = bytes.windows(12).position(|part| part == b"job.proposed").unwrap();
        bytes[at + 4..at + 12].copy_from_slice(b"approved");
        let forged = self.path("forged.tar");
        fs::write(&forged, bytes).unwrap();
        forged
    }

    /// Exports until the last head is cosigned.
    fn cosigned(&self, up: &Up, name: &str) -> PathBuf {
        self.exported(up, name, |_| true)
    }

    /// Exports until the last head is cosigned, and what is told of it is so.
    fn exported(&self, up: &Up, name: &str, is: impl Fn(&serde_json::Value) -> bool) -> PathBuf {
        let to = self.path(name);
        wait::until("a head that the witness has cosigned", SOON, || {
            let _earlier = fs::remove_file(&to);
            let said = up.call(&["evidence", "export", "-o", "json", "--to", to.to_str().unwrap()]);
            said.code == 0 && said.json()["cosignatures"] == 1 && is(&said.json())
        })
        .unwrap();
        to
    }
}

fn verify(bundle: &Path, more: &[&Path]) -> Said {
    run(verifier([bundle]).args(more))
}

/// What the verifier says that shares no line with ours.
fn peer(bundle: &Path, more: &[&Path]) -> (Option<i32>, String) {
    peer_by("verify.py", bundle, more)
}

fn peer_by(script: &str, bundle: &Path, more: &[&Path]) -> (Option<i32>, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ops/evidence").join(script);
    let mut python = Command::new("/usr/bin/python3");
    let said = python.arg(script).arg(bundle).args(more).output().unwrap();
    (said.status.code(), String::from_utf8_lossy(&said.stdout).into_owned())
}

#[test]
fn a_site_with_a_witness_exports_evidence_that_both_verifiers_call_verified() {
    let site = Site::new();
    let (mut witness, line) = site.witness();
    let policy = site.policy(&line);
    let witnessed = [Path::new("--witnesses"), &policy];
    let up = site.up(&witnessed);
    let bundle = site.cosigned(&up, "evidence.tar");
    let head = up.call(&["evidence", "export", "--to", bundle.to_str().unwrap()]).ended(2);
    assert!(head.err.contains("exists"), "nothing is written over: {head:?}");

    let by = [Path::new("--policy"), &policy];
    let said = verify(&bundle, &by).ended(0).out;
    assert!(said.contains("VERIFIED: ") && said.contains("outside at "), "{said}");
    assert_eq!(peer(&bundle, &by), (Some(0), "VERIFIED\n".to_owned()));
    let own = up.call(&["verify"]).ended(0).out;
    assert!(own.contains("verified"), "{own}");
    let alone = verify(&bundle, &[]).ended(2).out;
    assert!(alone.contains("NO_POLICY") && alone.contains("INCONCLUSIVE"), "{alone}");
    assert_eq!(peer(&bundle, &[]).0, Some(2));

    // What was kept of it is a head to which what comes later must fit.
    let kept = site.path("kept.note");
    fs::write(&kept, checkpoint(&bundle)).unwrap();
    let later = site.cosigned(&up, "later.tar");
    verify(&later, &[by[0], by[1], Path::new("--head"), &kept]).ended(0);

    // What one control tells of is proven to be in the log, and never more than a part.
    let part = site.path("part.tar");
    let mut control = vec!["evidence", "export", "--control", "js-01", "--to"];
    control.push(part.to_str().unwrap());
    let told = up.call(&control).ended(0).out;
    assert!(told.contains("about JS-01") && told.contains("says who has it"), "{told}");
    let said = verify(&part, &by).ended(2).out;
    assert!(said.contains("outside at ") && said.contains("INCONCLUSIVE: "), "{said}");
    let findings: Vec<&str> = said.lines().filter(|line| line.starts_with("FINDING")).collect();
    assert!(findings.len() == 1 && findings[0].contains("PARTIAL: "), "{said}");
    let script = "verify_part.py";
    assert_eq!(peer_by(script, &part, &by).0, Some(2));
    let who =
        up.call(&["events", "--stream", "log/exports", "-o", "json"]).ended(0).json().to_string();
    assert!(who.contains(r#""control":"JS-01""#), "what is said of it is that it is a part: {who}");
    let whole = up.call(&["evidence", "export", "--control", "lg-01", "--to", "no.tar"]).ended(2);
    assert!(whole.err.contains("LG-01 is about the log itself"), "{}", whole.err);
    let papers = site.path("papers");
    let refused = run(decklog(["evidence", "papers", "--to"]).arg(papers).arg(&part));
    assert!(refused.ended(2).err.contains("it is a part of a log"));
    up.stop();

    // Whoever changes a byte of it is found out.
    let forged = site.forged(&bundle);
    let said = verify(&forged, &by).ended(1).out;
    assert!(said.contains("HEAD_ROOT") && said.contains("TAMPERED: "), "{said}");
    assert_eq!(peer(&forged, &by).0, Some(1));

    witness.term();
    assert!(witness.wait_for_end(SOON).unwrap().success());
}

/// A file of a bundle, as anybody gets it out.
fn member(bundle: &Path, name: &str) -> Vec<u8> {
    let mut tar = Command::new("tar");
    tar.arg("-xOf").arg(bundle).arg(name).output().unwrap().stdout
}

#[test]
fn a_head_that_an_authority_has_stamped_is_believed_under_the_readers_roots_and_so_are_its_parts() {
    let site = Site::new();
    let (policy, bundle) = (site.path("policy"), site.path("stamped.tar"));
    // Without a witness, whose minute it would take: nothing is verified, and nothing else is missing.
    fs::write(&policy, format!("log {}\nquorum none\n", site.key)).unwrap();
    let (authority, other) = (Arc::new(Authority::new().unwrap()), Authority::new().unwrap());
    let (served, roots) = (Served::new(Arc::clone(&authority)).unwrap(), authority.roots());
    let url = served.url();
    let up = site.up(&["--tsa", &url, "--tsa-roots", roots.to_str().unwrap()].map(Path::new));
    // The authority's first answer was to another question: it was asked again.
    wait::until("a head that is stamped", SOON, || {
        let _earlier = fs::remove_file(&bundle);
        let to = bundle.to_str().unwrap();
        let said = up.call(&["evidence", "export", "-o", "json", "--to", to]);
        said.code == 0 && said.json()["timestamps"] == 1
    })
    .unwrap();

    let (by, stamps) = ([Path::new("--policy"), &policy], Path::new("--tsa"));
    let said = verify(&bundle, &[by[0], by[1], stamps, &roots]).ended(2).out;
    assert!(said.contains(" events existed at ") && said.contains(", says usual"), "{said}");
    assert!(said.matches("FINDING").count() == 1 && said.contains("NO_QUORUM"), "{said}");
    let said = verify(&bundle, &by).ended(2).out;
    assert!(said.contains("1, not believed: "), "{said}");
    let said = verify(&bundle, &[by[0], by[1], stamps, &other.roots()]).ended(2).out;
    assert!(said.contains("TIMESTAMP_ROOT"), "{said}");
    let (code, said) = peer(&bundle, &by);
    assert!(code == Some(2) && said.contains("openssl ts -verify -in timestamps/"), "{said}");
    believed_by_openssl(&site, &authority, &bundle);
    parts(&site, &up, &by);
    up.stop();
}

/// Nobody of ours is needed to believe it.
fn believed_by_openssl(site: &Site, authority: &Authority, bundle: &Path) {
    let listed = run(Command::new("tar").arg("-tf").arg(bundle)).ended(0).out;
    let name = listed.lines().find(|name| name.starts_with("timestamps/")).unwrap();
    let size = name.strip_prefix("timestamps/").unwrap().strip_suffix(".tsr").unwrap();
    let text = |note: Vec<u8>| -> Option<Vec<u8>> {
        let lines: Vec<&[u8]> = note.split_inclusive(|byte| *byte == b'\n').take(3).collect();
        let own = lines.get(1)?.trim_ascii() == size.trim_start_matches('0').as_bytes();
        own.then(|| lines.concat())
    };
    let heads = ["checkpoint".to_owned(), format!("checkpoints/{size}.note")];
    let head = heads.iter().find_map(|head| text(member(bundle, head))).unwrap();
    let (answer, data) = (site.path("answer.tsr"), site.path("head.txt"));
    fs::write(&answer, member(bundle, name)).unwrap();
    fs::write(&data, head).unwrap();
    assert!(authority.is_believed(&answer, &data));
}

/// Evidence in parts is what it is whole, and what is missing or mixed up is never verified.
fn parts(site: &Site, up: &Up, by: &[&Path]) {
    let whole = site.path("parts.tar");
    let export = |to: &Path| {
        let to = to.to_str().unwrap();
        up.call(&["evidence", "export", "-o", "json", "--part-bytes", "16KiB", "--to", to])
    };
    let told = export(&whole).ended(0).json();
    let paths: Vec<PathBuf> = told["parts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| {
            let path = PathBuf::from(part["file"].as_str().unwrap());
            assert_eq!(part["sha256"], sha256(&path));
            path
        })
        .collect();
    assert!(paths.len() > 2 && !whole.exists() && paths[0] == site.path("parts.tar.001"));
    let bytes: Vec<u8> = paths.iter().flat_map(|path| fs::read(path).unwrap()).collect();
    let joined = site.path("joined.tar");
    fs::write(&joined, &bytes).unwrap();
    assert_eq!(told["sha256"], sha256(&joined));
    let events = up.call(&["events", "-o", "jsonl"]).ended(0).out;
    assert!(events.contains(told["sha256"].as_str().unwrap()), "the log says what was exported");

    let first = &paths[0];
    let word = verify(&joined, by);
    for said in [verify(first, by), run(verifier(paths.iter().rev()).args(by))] {
        assert_eq!((said.code, said.out), (word.code, word.out.clone()));
    }
    assert_eq!(peer(first, by).0, Some(word.code));
    let papers = run(decklog(["evidence", "papers", "--to"]).arg(site.path("of-parts")).arg(first));
    assert!(papers.ended(0).out.contains("INCONCLUSIVE"));
    assert!(export(&whole).ended(2).err.contains("exists"), "nothing is written over");

    let (last, aside) = (paths.last().unwrap(), site.path("aside"));
    fs::rename(last, &aside).unwrap();
    let said = verify(first, by).ended(3).err;
    assert!(said.contains("does not end in") && said.contains("missing"), "{said}");
    assert_eq!(peer(first, by).0, Some(3));
    fs::rename(&aside, last).unwrap();
    fs::rename(&paths[1], &aside).unwrap();
    let said = verify(first, by).ended(3).err;
    assert!(said.contains("parts.tar.002 is missing"), "{said}");
    assert_eq!(peer(first, by).0, Some(3));
    // One takes the other's name.
    fs::rename(first, &paths[1]).unwrap();
    fs::rename(&aside, first).unwrap();
    let said = verify(first, by).ended(1);
    assert!(said.err.contains("compare it with what the export has said"), "{said:?}");
    assert_eq!(peer(first, by).0, Some(1));
}

/// The hash of a file, as another program says it.
pub(crate) fn sha256(path: &Path) -> String {
    let said = run(Command::new("sha256sum").arg(path)).ended(0).out;
    said.split_once(' ').unwrap().0.to_owned()
}

/// What programs that nobody here wrote read in papers, and of the sheet of a control.
fn read_papers(folder: &Path, control: &str) -> String {
    let python = testkit::installed::place("papers/bin/python");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/system/papers.py");
    let mut python = Command::new(python);
    let said = run(python.arg(script).arg(folder).arg(control));
    said.ended(0).out
}

#[test]
fn papers_are_made_of_evidence_that_holds_and_other_programs_read_them() {
    let site = Site::new();
    let (mut witness, line) = site.witness();
    let policy = site.policy(&line);
    let up = site.up(&[Path::new("--witnesses"), &policy]);
    let ran = |told: &serde_json::Value| {
        let controls = told["controls"].as_array().unwrap();
        controls.iter().any(|one| one["control"] == "JS-03" && one["population"] != 0)
    };
    let bundle = site.exported(&up, "evidence.tar", ran);
    up.stop();
    let papers = |to: &Path, of: &Path, more: &[&Path]| {
        let mut command = decklog(["evidence", "papers", "--asked-by", "Ada Example", "--to"]);
        run(command.arg(to).arg(of).args(more))
    };
    let by = [Path::new("--policy"), &policy];
    let (first, again) = (site.path("papers"), site.path("again"));
    let said = papers(&first, &bundle, &by).ended(0).out;
    assert!(said.starts_with("VERIFIED\n"), "{said}");

    let said = read_papers(&first, "JS-01");
    let mut verifying = decklog(["evidence", "verify", "-o", "json"]);
    let report = run(verifying.arg(&bundle).args(by)).ended(0).json();
    let controls = report["controls"].as_array().unwrap();
    let names: Vec<&str> = controls.iter().map(|one| one["control"].as_str().unwrap()).collect();
    let sha256 = sha256(&bundle);
    assert!(said.contains(&format!("sheets Summary {}", names.join(" "))), "{said}");
    assert!(said.contains(&format!("file {sha256}")), "{said}");
    assert!(said.contains(&format!("observations {}", names.len())), "{said}");
    assert!(said.contains("finding js-03 satisfied") && !said.contains("finding ac-06"), "{said}");
    for one in controls {
        let (control, population) = (one["control"].as_str().unwrap(), &one["population"]);
        let line = format!("summary {control} {population} {} ", one["exceptions"]);
        assert!(said.contains(&line), "{line} in {said}");
    }
    let runs = controls.iter().find(|one| one["control"] == "JS-01").unwrap();
    let count = runs["population"].as_u64().unwrap();
    let drawn = count.min(25);
    assert!(said.contains(&format!("members {count} drawn {drawn}")), "{said}");
    assert!(said.contains("formulas 0"), "{said}");

    papers(&again, &bundle, &by).ended(0);
    for name in ["work-papers.xlsx", "assessment-results.json", "requests.csv"] {
        let of = |dir: &Path| fs::read(dir.join(name)).unwrap();
        assert!(of(&first) == of(&again), "{name} is another");
    }
    let mut text = Command::new("pdftotext");
    let cover = run(text.arg("-layout").arg(first.join("cover-sheet.pdf")).arg("-")).ended(0).out;
    for says in ["Ada Example", "evidence.tar", "acknowledge-within", "outside at", "Completeness"]
    {
        assert!(cover.contains(says), "{says} in {cover}");
    }
    assert_eq!(papers(&first, &bundle, &by).code, 2, "nothing is written over");

    let alone = papers(&site.path("alone"), &bundle, &[]).ended(0).out;
    assert!(alone.starts_with("INCONCLUSIVE: "), "{alone}");
    let forged = site.forged(&bundle);
    let refused = papers(&site.path("none"), &forged, &by).ended(1).err;
    assert!(refused.contains("no papers are made of evidence that does not hold"), "{refused}");
    assert!(!site.path("none").exists());
    witness.term();
    assert!(witness.wait_for_end(SOON).unwrap().success());
}

/// The head of a bundle.
fn checkpoint(bundle: &Path) -> Vec<u8> {
    member(bundle, "checkpoint")
}

#[test]
fn a_witness_says_nothing_of_a_log_that_went_back_and_evidence_of_it_is_no_evidence() {
    let site = Site::new();
    let (witness, line) = site.witness();
    let policy = site.policy(&line);
    let copy = site.path("copy");
    let said = Command::new("cp").arg("-a").arg(site.data()).arg(&copy).status().unwrap();
    assert!(said.success());
    // It goes on for a while, so that the witness sees what the copy does not have.
    site.up(&[]).stop();
    let up = site.up(&[Path::new("--witnesses"), &policy]);
    let kept = site.path("kept.note");
    fs::write(&kept, checkpoint(&site.cosigned(&up, "first.tar"))).unwrap();
    up.stop();

    // Everything of the site is brought back as it was, the signer's memory too: only the witness remembers.
    fs::rename(site.data(), site.path("lost")).unwrap();
    fs::rename(&copy, site.data()).unwrap();
    let mut up = site.up(&[Path::new("--witnesses"), &policy]);
    let log = up.daemon.wait_for_line("not cosigned", SOON).unwrap();
    assert!(log.contains("size") || log.contains("consistency"), "{log}");
    let bundle = site.path("second.tar");
    wait::until("a signed head", SOON, || {
        up.call(&["evidence", "export", "--to", bundle.to_str().unwrap()]).code == 0
    })
    .unwrap();
    let by = [Path::new("--policy"), &policy];
    let said = verify(&bundle, &by).ended(2).out;
    assert!(said.contains("NO_QUORUM"), "{said}");
    let held = [by[0], by[1], Path::new("--head"), &kept];
    let said = verify(&bundle, &held).out;
    assert!(said.contains("HELD_TRUNCATION") || said.contains("HELD_FORK"), "{said}");
    assert_ne!(peer(&bundle, &held).0, Some(0));
    up.stop();
    drop(witness);
}

/// The root of the leaves in `tile/entries` and of the hashes in `tile/0`, by somebody who knows RFC 6962 and nothing of us.
const ROOTS: &str = "
import base64, hashlib, sys, pathlib
at = pathlib.Path(sys.argv[1])
size, root = (at / 'checkpoint').read_text().split('\\n')[1:3]
size, width = int(size), int(size) % 256
part = lambda kind, n: at / 'tile' / kind / ('%03d' % n if n < size // 256 else '%03d.p/%d' % (n, width))
hashes, leaves = b'', []
for n in range((size + 255) // 256):
    hashes += part('0', n).read_bytes()
    data = part('entries', n).read_bytes()
    while data:
        end = 2 + int.from_bytes(data[:2], 'big')
        leaves.append(hashlib.sha256(b'\\0' + data[2:end]).digest())
        data = data[end:]
assert len(leaves) == size and b''.join(leaves) == hashes
def mth(part):
    if len(part) == 1: return part[0]
    half = 1 << (len(part) - 1).bit_length() - 1
    return hashlib.sha256(b'\\1' + mth(part[:half]) + mth(part[half:])).digest()
assert mth(leaves) == base64.b64decode(root)
print(size)
";

#[test]
fn the_log_lies_in_files_of_which_anybody_makes_its_root() {
    let site = Site::new();
    let tiles = site.path("tiles");
    let check = |least: u64| {
        let said = Command::new("python3").args(["-c", ROOTS]).arg(&tiles).output().unwrap();
        let size = String::from_utf8_lossy(&said.stdout).trim().parse::<u64>().ok();
        size.is_some_and(|size| size >= least)
    };
    let up = site.up(&[Path::new("--tiles"), &tiles]);
    wait::until("files of a head", SOON, || check(10)).unwrap();
    up.stop();
    let before = String::from_utf8(fs::read(tiles.join("checkpoint")).unwrap()).unwrap();
    let size: u64 = before.lines().nth(1).unwrap().parse().unwrap();
    // It goes on where it ended.
    let up = site.up(&[Path::new("--tiles"), &tiles]);
    wait::until("files of a later head", SOON, || check(size + 10)).unwrap();
    up.stop();
}

#[test]
fn a_witness_that_has_lost_its_memory_does_not_start_again() {
    let site = Site::new();
    let (witness, line) = site.witness();
    // By kill -9.
    drop(witness);
    let (again, same) = site.witness();
    let key = |line: &str| line.split(' ').nth(2).unwrap().to_owned();
    assert_eq!(key(&same), key(&line), "after a kill it is the same");
    drop(again);
    fs::remove_file(site.path("witness/witness.memory")).unwrap();
    let said = run(&mut site.witness_command("witness.example/w1"));
    assert_ne!(said.code, 0);
    assert!(said.err.contains("is gone, but its key is here"), "{said:?}");
    let said = run(&mut decklog(["witness", "--name", "w", "--log", "no key"]));
    assert!(said.code == 2 && said.err.contains("name+id+key"), "{said:?}");
}
