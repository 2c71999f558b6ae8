//! Evidence about a site with a past: written, verified and asked, beside what the hashes and the signatures alone cost.

use std::fs::File;
use std::hint::black_box;
use std::io::BufReader;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use domain::canonical::Digest;
use domain::controls::{ControlSettings, Period};
use domain::keys::SecretKey;
use domain::leaf::Leaf;
use domain::ledger::SEGMENT_EVENTS;
use eventlog::{Access, Archive, EventLog};
use evidence::{Depth, Examiner, Request, Trust};
use tokio::runtime::Runtime;

use super::{Figure, percentile};
use crate::cli::{About, Place};
use crate::commands::evidence as bundles;
use crate::commands::proof;
use crate::embedded::{Embedded, Wanted};
use crate::host;
use crate::source::Source;

/// How long a recorder may take to sign a head over all that is in the log.
const SIGNED: Duration = Duration::from_secs(120);
/// Most segments that are archived.
const SEGMENTS: u64 = 16;
/// How many proofs are asked for.
const PROOFS: u64 = 200;

/// The machine's own speed for what evidence consists of.
struct Bare {
    /// Events whose leaf and envelope are hashed, a second.
    hashes: f64,
    /// Signatures that are checked, a second.
    signatures: f64,
    bytes: u64,
}

pub(super) fn measure(runtime: &Runtime, place: &Path) -> anyhow::Result<Vec<Figure>> {
    signed(runtime, place)?;
    let source = source(place)?;
    let (last, earlier) = bundles::heads(&source)?;
    let size = last.says.size();
    let request = bundles::request(&About::default(), &source, size)?;
    let leaves = leaves(&source, size)?;
    let bare = bare(&leaves)?;
    let file = place.join("bench-evidence.tar");
    let _ = std::fs::remove_file(&file);
    let began = Instant::now();
    let target = bundles::Target { to: &file, part_bytes: None };
    let (written, _) = bundles::write(
        &source,
        request.clone(),
        target,
        last,
        &earlier,
        bundles::Beside::default(),
    )?;
    let bytes = written.bytes;
    let took = began.elapsed().as_secs_f64();
    let mut figures = vec![
        Figure::new(format!("evidence of {size} events: exported"), size as f64 / took, "events/s")
            .beside("hashes alone, events/s", bare.hashes),
        Figure::new("evidence: exported", mib(bytes) / took, "MiB/s"),
        Figure::new("evidence: bytes of an event in it", bytes as f64 / size as f64, "bytes")
            .beside("bytes of its leaf", bare.bytes as f64 / size as f64),
    ];
    figures.extend(verified(&file, &bare, size)?);
    std::fs::remove_file(&file)?;
    figures.extend(asked(&leaves, &request, size));
    figures.extend(proofs(&source, size)?);
    figures.extend(archived(runtime, place, &bare, &leaves)?);
    Ok(figures)
}

/// Segments of the log as files: written, read again and compared with the signed head, and read.
fn archived(
    runtime: &Runtime,
    place: &Path,
    bare: &Bare,
    leaves: &[Vec<u8>],
) -> anyhow::Result<Vec<Figure>> {
    let segments = (leaves.len() as u64 / SEGMENT_EVENTS).min(SEGMENTS);
    if segments == 0 {
        return Ok(Vec::new());
    }
    let (dir, file) = (tempfile::tempdir()?, EventLog::file_in(place).display().to_string());
    let events = (segments * SEGMENT_EVENTS) as f64;
    let plain: usize = leaves.iter().take(events as usize).map(Vec::len).sum();
    let (mut packed, began) = (0, Instant::now());
    let log = runtime.block_on(EventLog::open(&file, Access::Read))?.with_archive(dir.path());
    for segment in 0..segments {
        packed += runtime.block_on(log.write_segment(segment))?.bytes;
    }
    let wrote = began.elapsed().as_secs_f64();
    let (archive, began) = (Archive::new(dir.path()), Instant::now());
    for segment in 0..segments {
        black_box(archive.check(segment)?);
    }
    let read = began.elapsed().as_secs_f64();
    runtime.block_on(log.close());
    let what = |what: &str| format!("archive of {segments} segments: {what}");
    Ok(vec![
        Figure::new(what("written, read and compared"), events / wrote, "events/s")
            .beside("hashes alone, events/s", bare.hashes),
        Figure::new(what("read"), events / read, "events/s")
            .beside("hashes alone, events/s", bare.hashes),
        Figure::new(what("bytes of an event"), packed as f64 / events, "bytes")
            .beside("bytes of its leaf", plain as f64 / events),
    ])
}

fn source(place: &Path) -> anyhow::Result<Source> {
    Source::open(&Place { data: Some(place.to_owned()), ..Place::default() })
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / 1_048_576.0
}

/// Lets a recorder sign what stands in the log.
fn signed(runtime: &Runtime, place: &Path) -> anyhow::Result<()> {
    let embedded = runtime.block_on(Embedded::start(Wanted::for_one_command(place)))?;
    let (size, _) = runtime.block_on(embedded.log.head())?;
    let (source, began) = (source(place)?, Instant::now());
    let waited = loop {
        if bundles::heads(&source).is_ok_and(|(last, _)| last.says.size() >= size) {
            break Ok(());
        }
        if began.elapsed() > SIGNED {
            break Err(anyhow::anyhow!("no head over {size} events was signed in {SIGNED:?}"));
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    runtime.block_on(embedded.stop())?;
    waited
}

fn leaves(source: &Source, size: u64) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut all = Vec::new();
    source.leaves(size, |_, bytes| {
        all.push(bytes);
        Ok(())
    })?;
    Ok(all)
}

fn bare(leaves: &[Vec<u8>]) -> anyhow::Result<Bare> {
    let envelopes: Vec<Vec<u8>> = leaves
        .iter()
        .map(|leaf| Ok(Leaf::from_bytes(leaf)?.envelope))
        .collect::<anyhow::Result<_>>()?;
    let began = Instant::now();
    for bytes in leaves.iter().chain(&envelopes) {
        black_box(Digest::of(bytes));
    }
    let hashes = leaves.len() as f64 / began.elapsed().as_secs_f64();
    let key = SecretKey::from_seed(&[7; 32]);
    let message = envelopes.first().context("the log is empty")?;
    let seal = key.sign(message);
    let (count, began) = (2_000, Instant::now());
    for _ in 0..count {
        key.public().verify(black_box(message), &seal)?;
    }
    let signatures = f64::from(count) / began.elapsed().as_secs_f64();
    let bytes = leaves.iter().map(|leaf| leaf.len() as u64).sum();
    Ok(Bare { hashes, signatures, bytes })
}

fn verified(file: &Path, bare: &Bare, size: u64) -> anyhow::Result<Vec<Figure>> {
    let trust = Trust { policy: None, held: Vec::new(), as_of: None, tsa: None, now: host::now() };
    let mut figures = Vec::new();
    for (depth, word) in [(Depth::Full, "every signature"), (Depth::Tip, "last signatures")] {
        let began = Instant::now();
        let report =
            evidence::verify(BufReader::new(File::open(file)?), &trust, depth, &mut |_, _| {})?;
        let took = began.elapsed().as_secs_f64();
        anyhow::ensure!(report.size == size, "{} of {size} events were verified", report.size);
        // As long as nothing is done but to hash and to check signatures.
        let least = size as f64 / bare.hashes + report.counts.signatures as f64 / bare.signatures;
        let what = format!("evidence: verified, {word}");
        figures.push(
            Figure::new(what, size as f64 / took, "events/s")
                .beside("hashes and signatures alone, events/s", size as f64 / least),
        );
    }
    Ok(figures)
}

/// Controls, first over the whole log, and again when it is known.
fn asked(leaves: &[Vec<u8>], request: &Request, size: u64) -> Vec<Figure> {
    let period = Period { from: request.from, until: request.until };
    let mut examiner = Examiner::new(Depth::Tip).gathering();
    let began = Instant::now();
    for leaf in leaves {
        examiner.take(leaf);
    }
    let read = began.elapsed().as_secs_f64();
    let began = Instant::now();
    let found = examiner.controls(&[period], Some(&ControlSettings::default()), None);
    let took = began.elapsed().as_secs_f64();
    let members: usize = found.iter().flatten().map(|one| one.population.len()).sum();
    vec![
        Figure::new("controls: events read for the first time", size as f64 / read, "events/s"),
        Figure::new(format!("controls: all of them, {members} members"), took * 1_000.0, "ms"),
    ]
}

fn proofs(source: &Source, size: u64) -> anyhow::Result<Vec<Figure>> {
    // Once before: the first reads the hashes of all leaves.
    let longest = proof::proof(source, 1)?.path.len();
    let mut times = Vec::new();
    for number in 1..=PROOFS.min(size) {
        let position = number * size / PROOFS.min(size);
        let began = Instant::now();
        proof::proof(source, position.max(1))?;
        times.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    times.sort_by(f64::total_cmp);
    Ok(vec![
        Figure::new(format!("proof among {size} events: hashes"), longest as f64, "hashes"),
        Figure::new("proof: made, p50", percentile(&times, 0.5), "ms"),
        Figure::new("proof: made, p99", percentile(&times, 0.99), "ms"),
    ])
}
