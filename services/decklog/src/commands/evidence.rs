//! `decklog evidence …`: the log as one file that verifies by itself, or as the parts of one.

mod part;
mod stamps;
mod target;

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::canonical::Digest;
use domain::controls::{Agreements, ControlSettings, Period, Summary, measures_stream};
use domain::envelope::Envelope;
use domain::event::{Event, LogEvent};
use domain::leaf::Leaf;
use domain::payload::Disclosure;
use domain::wire::{Content, Query};
use evidence::parts::{Joined, PartsError, in_order};
use evidence::{Depth, Examined, Head, Report, Request, Roots, Trust, Verdict, Writer};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};
use tlog::{Hash, Policy};

use self::stamps::Stamps;
use self::target::Part;
pub(super) use self::target::{Target, Written};
use super::verify::{HEADS, kept};
use super::{papers, with_log};
use crate::cli::{About, Evidence, ExportEvidence, Format, Place, VerifyEvidence};
use crate::source::{DEFAULT_DATA, Source};
use crate::{embedded, exit, host, output, when};

pub(crate) fn run(wanted: &Evidence, format: Format) -> anyhow::Result<()> {
    match wanted {
        Evidence::Export(wanted) => export(wanted, format),
        Evidence::Verify(wanted) => verify(wanted, format),
        Evidence::Papers(wanted) => papers::run(wanted, format),
        Evidence::Policy(of) => policy(&of.place),
    }
}

/// Of what somebody has evidence now: the first so many events, a period, and one control where it is a part.
struct Told<'a> {
    size: u64,
    root: Hash,
    from: Timestamp,
    until: Timestamp,
    control: Option<&'a str>,
}

/// The file that somebody has now.
#[derive(Debug, Serialize)]
struct Delivered {
    file: String,
    bytes: u64,
    /// SHA-256 of the file, or of all parts one behind the other.
    sha256: Digest,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parts: Vec<Part>,
    /// Position of the event that says who has it; absent where nobody could be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    recorded: Option<u64>,
}

impl Delivered {
    /// Says in the log what was written.
    fn tell(wanted: &ExportEvidence, written: Written, of: Told<'_>) -> Self {
        let Written { bytes, sha256, parts } = written;
        let Told { size, root, from, until, control } = of;
        let mut told = json!({
            "size": size, "root": Digest(root.0), "from": from, "until": until, "file": sha256, "bytes": bytes,
        });
        if let Some(control) = control {
            told["control"] = control.into();
        }
        let (file, recorded) = (wanted.to.display().to_string(), record(&wanted.place, &told));
        Self { file, bytes, sha256, parts, recorded }
    }

    /// What tells later whether a file is this one, and who has it.
    fn text(&self) -> String {
        let part = |Part { file, bytes, sha256 }: &Part| {
            format!("{file}: {bytes} bytes, SHA-256 {sha256}\n")
        };
        let mut text: String = self.parts.iter().map(part).collect();
        text.push_str(&format!("SHA-256 {}", self.sha256));
        if let Some(position) = self.recorded {
            text.push_str(&format!("; event {position} says who has it"));
        }
        text + "\n"
    }
}

/// What was written.
#[derive(Debug, Serialize)]
struct Exported {
    origin: String,
    size: u64,
    heads: usize,
    /// Lines of others than the log on the last head.
    cosignatures: usize,
    /// Heads of which a time-stamping authority has said something.
    timestamps: usize,
    /// Payloads that are shown.
    payloads: usize,
    from: Timestamp,
    until: Timestamp,
    #[serde(flatten)]
    delivered: Delivered,
    /// By which measures its controls were tested, in words.
    measures: String,
    controls: Vec<Summary>,
    /// What its examination found: it stands in the log, and whoever verifies finds it too.
    wrong: Vec<String>,
}

fn export(wanted: &ExportEvidence, format: Format) -> anyhow::Result<()> {
    let source = Source::open(&wanted.place)?;
    let (last, mut earlier) = heads(&source)?;
    if let Some(control) = &wanted.control {
        return part::export(wanted, control, source, last, format);
    }
    let stamps = stamps(wanted, &source, &last, &mut earlier)?;
    let shown = shown(&wanted.payloads, last.says.size())?;
    let request = request(&wanted.about, &source, last.says.size())?
        .showing(shown.iter().map(|one| one.position).collect());
    let (origin, size) = (last.says.origin().to_owned(), last.says.size());
    let cosignatures = last.note.signatures().len() - 1;
    let (from, until, root) = (request.from, request.until, last.says.root());
    let used = request.controls.clone();
    let target = Target { to: &wanted.to, part_bytes: wanted.part_bytes };
    let with = Beside { stamps: &stamps, payloads: &shown };
    let (written, log) = write(&source, request, target, last, &earlier, with)?;
    drop(source);
    let told = Told { size, root, from, until, control: None };
    let delivered = Delivered::tell(wanted, written, told);
    let controls: Vec<Summary> = log.controls.iter().map(Summary::of).collect();
    let wrong: Vec<String> = log.findings.kept().iter().map(ToString::to_string).collect();
    let measures = log.agreed.as_ref().map(|agreed| agreed.says_of(&used)).unwrap_or_default();
    let heads = earlier.len() + 1;
    let done = Exported {
        origin,
        size,
        heads,
        cosignatures,
        timestamps: stamps.len(),
        payloads: shown.len(),
        from,
        until,
        delivered,
        measures,
        controls,
        wrong,
    };
    output::one(format, &done, exported)
}

/// Says in the log who has the file. It is written by then: where nobody can be told, whoever exports is.
fn record(place: &Place, told: &Value) -> Option<u64> {
    let said = if is_a_copy(place) {
        Err(anyhow::anyhow!("it is a copy, without the keys of its site"))
    } else {
        with_log(place, |client| client.act("/api/v1/exports", told))
    };
    match said {
        Ok(applied) => Some(applied.position),
        Err(error) => {
            eprintln!("the log does not say that this was exported: {error:#}");
            None
        }
    }
}

/// Whether the log lies in a directory in which nobody could sign for it.
fn is_a_copy(place: &Place) -> bool {
    let dir = place.data.as_deref().unwrap_or(Path::new(DEFAULT_DATA));
    place.server.is_none() && !embedded::head_key(dir).exists()
}

/// The directory in which something of this name stands.
pub(super) fn above(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// What a time-stamping authority has said of heads: in the directory that is named, or in that of the data directory.
fn stamps(
    wanted: &ExportEvidence,
    source: &Source,
    last: &Head,
    earlier: &mut Vec<Head>,
) -> anyhow::Result<Stamps> {
    let usual = || source.dir().map(embedded::timestamps);
    match wanted.timestamps.clone().or_else(usual) {
        Some(dir) => stamps::add(&dir, last, earlier),
        None => Ok(Stamps::new()),
    }
}

fn exported(done: &Exported) -> String {
    let Exported { origin, size, heads, cosignatures, from, until, .. } = done;
    let Delivered { file, bytes, .. } = &done.delivered;
    let stamped = match done.timestamps {
        0 => String::new(),
        some => format!(", {some} time stamps"),
    };
    let stamped = match done.payloads {
        0 => stamped,
        1 => format!("{stamped}, 1 payload"),
        some => format!("{stamped}, {some} payloads"),
    };
    let witnessed = match cosignatures {
        0 => "no witness has cosigned the last one: whoever verifies it will call it INCONCLUSIVE"
            .to_owned(),
        some => format!("the last one with {some} lines of witnesses"),
    };
    let mut text = format!(
        "{file}: {size} entries of {origin}, about {from} until {until}, {heads} signed heads{stamped}, {witnessed}; {bytes} bytes\n"
    );
    text.push_str(&done.delivered.text());
    text.push_str(&format!("measures     {}\n", done.measures));
    for finding in &done.wrong {
        text.push_str(&format!("FINDING      {finding}\n"));
    }
    text + &super::control::table(&done.controls)
}

/// A payload that somebody wants shown, as a file.
#[derive(Debug)]
pub(super) struct ShownPayload {
    file: PathBuf,
    position: u64,
    bytes: Vec<u8>,
}

/// What is written into a bundle beside the log.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Beside<'a> {
    /// What a time-stamping authority said of heads of some sizes.
    stamps: &'a [(u64, Vec<u8>)],
    payloads: &'a [ShownPayload],
}

/// The largest payload that is shown: as large as a file of evidence may be.
const PAYLOAD_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Reads the payloads that are to be shown of a log of this size.
fn shown(files: &[PathBuf], size: u64) -> anyhow::Result<Vec<ShownPayload>> {
    if files.len() > evidence::PAYLOADS_MAX {
        return Err(exit::usage(format!("at most {} payloads", evidence::PAYLOADS_MAX)));
    }
    let read = |file: &PathBuf| {
        let wrong = |error: String| exit::usage(format!("{}: {error}", file.display()));
        let bytes = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
        if bytes.len() > PAYLOAD_BYTES_MAX {
            return Err(wrong("a file of evidence has at most 64 MiB".to_owned()));
        }
        let position = Disclosure::parse(&bytes).map_err(&wrong)?.position;
        if position > size {
            return Err(wrong(format!(
                "it is of the event at {position}, and the last signed head is over {size} events: export again in a minute"
            )));
        }
        Ok(ShownPayload { file: file.clone(), position, bytes })
    };
    let mut all = files.iter().map(read).collect::<anyhow::Result<Vec<_>>>()?;
    all.sort_by_key(|one| one.position);
    match all.windows(2).find(|two| matches!(two, [one, next] if one.position == next.position)) {
        Some([one, next]) => Err(exit::usage(format!(
            "{} and {} show the same payload",
            one.file.display(),
            next.file.display()
        ))),
        Some(_) | None => Ok(all),
    }
}

/// Writes a bundle; says what was written, and what its examination came to.
pub(super) fn write(
    source: &Source,
    request: Request,
    target: Target<'_>,
    last: Head,
    earlier: &[Head],
    with: Beside<'_>,
) -> anyhow::Result<(Written, Examined)> {
    let (size, mut examined) = (last.says.size(), None);
    let written = target.write(|out| {
        let mut writer = Writer::new(out, request, last, earlier)?;
        for (size, answer) in with.stamps {
            writer.timestamp(*size, answer)?;
        }
        source.leaves(size, |_, bytes| Ok(writer.entry(bytes)?))?;
        for one in with.payloads {
            writer.payload(&one.bytes).with_context(|| one.file.display().to_string())?;
        }
        examined = Some(writer.finish()?.1);
        Ok(())
    })?;
    Ok((written, examined.context("nothing was examined")?))
}

/// The last head, and those before it, the smallest first. The last is one that witnesses have cosigned, where there is any.
pub(super) fn heads(source: &Source) -> anyhow::Result<(Head, Vec<Head>)> {
    let Content::Heads(notes) = source.ask(&Query::Heads { limit: HEADS })?.content else {
        anyhow::bail!("the answer is to another question");
    };
    let read = |note: &String| Head::read(note.as_bytes()).context("a signed head in the log");
    let mut all: Vec<Head> = Vec::new();
    for head in notes.iter().map(read) {
        let head = head?;
        // What witnesses said later of the same head stands in a note of its own.
        match all.iter_mut().find(|known| known.note.text() == head.note.text()) {
            Some(known) => join(known, &head)?,
            None => all.push(head),
        }
    }
    all.sort_by_key(|head| head.says.size());
    let cosigned = all.iter().rposition(|head| head.note.signatures().len() > 1);
    let at = cosigned.or(all.len().checked_sub(1));
    let none =
        "no head of this log was signed yet: ask again in some seconds, while its recorder runs";
    let at = at.ok_or_else(|| exit::unclean(none))?;
    let last = all.remove(at);
    all.retain(|head| head.says.size() < last.says.size());
    Ok((last, all))
}

fn join(known: &mut Head, other: &Head) -> anyhow::Result<()> {
    for line in other.note.signatures() {
        known.note = known.note.clone().with(line.clone())?;
    }
    Ok(())
}

/// What is asked for of the log's first `size` events: of all their time, where no period was typed, and by the measures that the
/// log had approved at its end, where no others are given.
pub(super) fn request(about: &About, source: &Source, size: u64) -> anyhow::Result<Request> {
    if size == 0 {
        return Err(exit::not_found("this log has no events"));
    }
    let from = match &about.from {
        Some(text) => when::instant(text, &TimeZone::system()).map_err(exit::usage)?,
        None => leaf(source, 1)?.received,
    };
    let until = match &about.until {
        Some(text) => when::end_of(text).map_err(exit::usage)?,
        // The end does not belong to the period, and the last event does.
        None => leaf(source, size)?.received + SignedDuration::from_micros(1),
    };
    if from >= until {
        return Err(exit::usage(format!("a period from {from} until {until} is none")));
    }
    let agreed = about.measures.as_deref();
    let read = agreed.map(|path| settings::read_file(path, |_: &ControlSettings| Vec::new()));
    let measures = match read.transpose().map_err(exit::usage)? {
        Some(given) => given,
        None => approved(source, size, Period { from, until })?,
    };
    Ok(Request::new(from, until, measures))
}

/// The measures that the log's first `size` events had approved at the end of a period; the usual ones where there were none.
fn approved(source: &Source, size: u64, period: Period) -> anyhow::Result<ControlSettings> {
    let mut agreements = Agreements::default();
    source.each_of(&measures_stream(), |entry| {
        if entry.position <= size && entry.void.is_none() {
            let envelope = entry.envelope()?;
            let event = envelope.event()?;
            agreements.observe(&envelope, &event, (entry.position, entry.received));
        }
        Ok(())
    })?;
    Ok(agreements.at_end_of(period).settings)
}

fn leaf(source: &Source, position: u64) -> anyhow::Result<Leaf> {
    Ok(Leaf::from_bytes(&leaf_bytes(source, position)?)?)
}

/// The bytes that the tree commits to at a position.
fn leaf_bytes(source: &Source, position: u64) -> anyhow::Result<Vec<u8>> {
    let query = Query::Leaves { after: position - 1, limit: 1 };
    let Content::Leaves(page) = source.ask(&query)?.content else {
        anyhow::bail!("the answer is to another question");
    };
    let view = page.first().filter(|view| view.position == position);
    let view = view.with_context(|| format!("position {position} is missing"))?;
    Ok(STANDARD.decode(&view.leaf)?)
}

fn verify(wanted: &VerifyEvidence, format: Format) -> anyhow::Result<()> {
    let (report, _) = examined(wanted)?;
    output::one(format, &report, Report::to_string)?;
    match report.verdict {
        Verdict::Verified => Ok(()),
        Verdict::Tampered | Verdict::Inconclusive => Err(exit::unclean("")),
    }
}

/// What a file is worth to whoever asks, and the file, at its end.
pub(super) fn examined(wanted: &VerifyEvidence) -> anyhow::Result<(Report, Joined<File>)> {
    let trust = trust(wanted)?;
    let mut opened = opened(&wanted.files).map_err(exit::usage)?;
    let depth = if wanted.tip { Depth::Tip } else { Depth::Full };
    let report = evidence::verify(BufReader::new(&mut opened), &trust, depth, &mut |_, _| {})
        .context("reading the evidence")?;
    Ok((report, opened))
}

/// A file, or its parts, which are beside the first.
fn opened(named: &[PathBuf]) -> Result<Joined<File>, PartsError> {
    let beside = |dir: &Path| {
        let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
        dir.read_dir().into_iter().flatten().flatten().map(|entry| entry.file_name()).collect()
    };
    Joined::open(in_order(named, beside)?, |path| File::open(path))
}

/// The roots in all of the files that are named, if any are.
fn roots(files: &[PathBuf]) -> anyhow::Result<Option<Roots>> {
    let read = |path: &PathBuf| {
        let text = std::fs::read(path);
        let text = text.map_err(|e| exit::usage(format!("reading {}: {e}", path.display())))?;
        Roots::from_pem(&text).map_err(|e| exit::usage(format!("{}: {e}", path.display())))
    };
    let all = files.iter().map(read).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(all.into_iter().reduce(Roots::with))
}

fn trust(wanted: &VerifyEvidence) -> anyhow::Result<Trust> {
    let read = |path: &std::path::PathBuf| {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|e| exit::usage(format!("reading {}: {e}", path.display())))?;
        Policy::parse(&text).map_err(|e| exit::usage(format!("{}: {e}", path.display())))
    };
    let zone = TimeZone::UTC;
    let instant = |text: &String| when::instant(text, &zone).map_err(exit::usage);
    Ok(Trust {
        policy: wanted.policy.as_ref().map(read).transpose()?,
        held: wanted.heads.iter().map(|path| kept(path)).collect::<anyhow::Result<_>>()?,
        as_of: wanted.as_of.as_ref().map(instant).transpose()?,
        tsa: roots(&wanted.tsa)?,
        now: host::now(),
    })
}

fn policy(place: &Place) -> anyhow::Result<()> {
    let source = Source::open(place)?;
    let first = leaf(&source, 1)?;
    let envelope = Envelope::parse(&first.envelope)?;
    let Event::LogEvent(LogEvent::LogCreated(created)) = envelope.event()? else {
        anyhow::bail!("the first event of this log does not say what it is");
    };
    // It may have gone on under another name.
    let answer = source.ask(&Query::Consistency { from: 0 })?.content;
    let shown = if let Content::Consistency(Some(shown)) = answer { Some(shown.key) } else { None };
    let key = shown.unwrap_or(created.head_key);
    let origin = key.split('+').next().unwrap_or(&created.origin);
    output::print(&format!(
        "# The log {}, made {}. Compare this key with what you were told by another way.\n\
         log {}\n\
         # A witness whom you believe, by the key it prints: witness NAME KEY\n\
         # How many of them are needed: quorum NAME, or a group (C2SP tlog-policy)\n\
         quorum none\n",
        origin, envelope.time, key
    ))
}
