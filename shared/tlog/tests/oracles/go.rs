//! Go's own code for its checksum database, out of the sources that every Go comes with: it accepts our roots, proofs, notes and
//! tiles, and we accept its, for all sizes from 1 to 300.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::prelude::{BASE64_STANDARD, Engine};
use tlog::{
    Checkpoint, Frontier, Hash, SignerKey, Tiler, VerifierKey, consistency_proof, inclusion_proof,
    leaf_hash, verify_consistency, verify_inclusion,
};

use crate::{TestResult, leaf_data};

/// The largest tree of which every proof is made.
const LARGEST: u64 = 300;
/// Trees of which tiles are made; the last has three levels.
const TILED: [u64; 5] = [1, 255, 256, 257, 70_000];

fn run(command: &mut Command) -> Result<String, Box<dyn Error>> {
    let output = command.output()?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("{command:?}: {text}").into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// Builds the peer with a copy of Go's packages, in a directory that goes away.
fn built(dir: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let root = run(Command::new("go").args(["env", "GOROOT"])).map_err(|error| {
        format!("{error}: run ops/dev/setup, which installs what the tests need")
    })?;
    let vendor = Path::new(&root).join("src/cmd/vendor/golang.org/x/mod/sumdb");
    for package in ["note", "tlog"] {
        fs::create_dir(dir.join(package))?;
        for entry in fs::read_dir(vendor.join(package))? {
            let path = entry?.path();
            let test = path.to_string_lossy().ends_with("_test.go");
            if let Some(name) = path.file_name().filter(|_| !test) {
                fs::copy(&path, dir.join(package).join(name))?;
            }
        }
    }
    let version = run(Command::new("go").args(["env", "GOVERSION"]))?;
    let language: Vec<&str> = version.trim_start_matches("go").split('.').take(2).collect();
    fs::write(dir.join("go.mod"), format!("module peer\n\ngo {}\n", language.join(".")))?;
    fs::write(dir.join("main.go"), include_str!("peer.go"))?;
    run(Command::new("go").args(["build", "-o", "peer", "."]).current_dir(dir).env("GOFLAGS", ""))?;
    Ok(dir.join("peer"))
}

fn root(leaves: &[Hash]) -> Hash {
    leaves.iter().copied().collect::<Frontier>().root()
}

/// Of the larger trees every seventh leaf, and those at the edges: which seventh differs from size to size.
fn is_taken(size: u64, at: u64) -> bool {
    size <= 64 || at % 7 == size % 7 || at < 2 || at + 2 >= size
}

fn line(out: &mut String, size: u64, at: u64, proof: &[Hash]) -> TestResult {
    write!(out, "{size} {at}")?;
    proof.iter().try_for_each(|hash| write!(out, " {hash}"))?;
    Ok(writeln!(out)?)
}

/// What we make, as files.
fn ours(dir: &Path, leaves: &[Hash]) -> TestResult {
    let signer = SignerKey::from_seed("ours.example/log", &[8; 32])?;
    let (mut roots, mut notes) = (String::new(), String::new());
    let (mut inclusion, mut consistency) = (String::new(), String::new());
    for size in 0..=LARGEST {
        let part = &leaves[..usize::try_from(size)?];
        writeln!(roots, "{}", root(part))?;
        let note = Checkpoint::new(signer.name(), size, root(part))?.sign(&signer)?;
        writeln!(notes, "{}", BASE64_STANDARD.encode(note))?;
        for at in (0..size).filter(|at| is_taken(size, *at)) {
            line(&mut inclusion, size, at, &inclusion_proof(part, at)?)?;
            line(&mut consistency, size, at + 1, &consistency_proof(part, at + 1)?)?;
        }
    }
    let data = (0..LARGEST).map(|index| {
        leaf_data(index).iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n"
    });
    fs::write(dir.join("leaves"), data.collect::<String>())?;
    for (name, text) in [
        ("roots", roots),
        ("notes", notes),
        ("inclusion", inclusion),
        ("consistency", consistency),
        ("key", signer.verifier_key().to_string()),
    ] {
        fs::write(dir.join(name), text)?;
    }
    let mut tiled = String::new();
    for size in TILED {
        writeln!(tiled, "{size} {}", tiles(&dir.join(size.to_string()), size)?)?;
    }
    Ok(fs::write(dir.join("tiled"), tiled)?)
}

/// The tiles of a tree of this size, as files; its root.
fn tiles(dir: &Path, size: u64) -> Result<Hash, Box<dyn Error>> {
    let (mut tiler, mut tree) = (Tiler::new(), Frontier::new());
    let mut made = Vec::new();
    for index in 0..size {
        let hash = leaf_hash(&leaf_data(index));
        tree.push(hash);
        made.extend(tiler.push(hash));
    }
    made.extend(tiler.partial());
    for (tile, bytes) in made {
        let path = dir.join(tile.to_string());
        fs::create_dir_all(path.parent().unwrap_or(dir))?;
        fs::write(path, bytes)?;
    }
    Ok(tree.root())
}

/// What Go made of the same leaves.
fn theirs(dir: &Path, leaves: &[Hash]) -> Result<u64, Box<dyn Error>> {
    let (mut proofs, mut key) = (0, None);
    let roots: Vec<Hash> = (0..=leaves.len()).map(|size| root(&leaves[..size])).collect();
    for line in fs::read_to_string(dir.join("answer"))?.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["key", public] => key = Some(public.parse::<VerifierKey>()?),
            ["note", note] => {
                let keys: Vec<VerifierKey> = key.iter().cloned().collect();
                let head = Checkpoint::open(&BASE64_STANDARD.decode(note)?, &keys)?;
                assert_eq!((head.size(), head.root()), (LARGEST, root(leaves)));
                proofs += 1;
            }
            [kind, size, at, proof @ ..] => {
                let (size, at): (u64, u64) = (size.parse()?, at.parse()?);
                let proof: Vec<Hash> =
                    proof.iter().map(|hash| hash.parse()).collect::<Result<_, _>>()?;
                let tree = roots[usize::try_from(size)?];
                let within = usize::try_from(at)?;
                match *kind {
                    "inclusion" => verify_inclusion(&leaves[within], at, size, &proof, &tree)?,
                    _ => verify_consistency(at, &roots[within], size, &tree, &proof)?,
                }
                proofs += 1;
            }
            _ => return Err(format!("the peer said {line:?}").into()),
        }
    }
    Ok(proofs)
}

#[test]
fn go_accepts_our_roots_proofs_notes_and_tiles_and_we_accept_its() -> TestResult {
    let dir = tempfile::tempdir()?;
    let leaves: Vec<Hash> = (0..LARGEST).map(|index| leaf_hash(&leaf_data(index))).collect();
    let peer = built(dir.path())?;
    ours(dir.path(), &leaves)?;
    run(Command::new(peer).arg(dir.path()))?;
    let taken = |size: u64| (0..size).filter(move |at| is_taken(size, *at)).count() as u64;
    let pairs: u64 = (1..=LARGEST).map(taken).sum();
    assert_eq!(theirs(dir.path(), &leaves)?, 2 * pairs + 1);
    Ok(())
}
