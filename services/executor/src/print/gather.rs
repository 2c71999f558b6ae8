//! The child's side: looks at documents as the job's user, and then waits for what becomes of them.
//!
//! Documents are hostile until they were read: that happens here, in a process that is killed and bounded like a command.
//! What is printed is the copy that was looked at.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use document::{Format, Limits, TextLayout};
use domain::print::{
    Burst, ControlRule, DocumentFormat, DocumentSource, PageRange, RegisterRule, Taken, amount,
};
use nix::fcntl::OFlag;
use regex_lite::Regex;

use super::order::{DOCUMENTS, FATES, Fates, Found, Gathered, Part, Task};
use super::spool::Sheet;
use crate::attempt::matches_name;

/// Most documents of one run.
const DOCUMENTS_MAX: usize = 1_000;
/// Most parts of one document.
const PARTS_MAX: usize = 10_000;
/// Largest control file, in bytes.
const CONTROL_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Most text of one page, in bytes.
const PAGE_TEXT_MAX: usize = 256 * 1024;
/// How long between two looks at what became of the documents.
const LOOK: Duration = Duration::from_millis(100);

/// Reads a task, carries it out, and gives the exit code: 0 good, 1 not, 130 told to stop.
pub(super) fn main() -> i32 {
    let mut task: Task = match serde_json::from_reader(io::stdin().lock()) {
        Ok(task) => task,
        Err(error) => return failed(&format!("reading the task from standard input: {error}"), 2),
    };
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        if let Err(error) = signal_hook::flag::register(signal, Arc::clone(&stop)) {
            return failed(&format!("signals cannot be heard: {error}"), 1);
        }
    }
    let Some(report) = std::env::var_os(engine::process::REPORT).map(PathBuf::from) else {
        return failed("nobody waits for what is found", 2);
    };
    let place = report.parent().unwrap_or(Path::new(".")).to_owned();
    if let Some((path, _)) = &mut task.brought {
        *path = place.join(&*path);
    }
    let gathered = match gather(&task, &place.join(DOCUMENTS)) {
        Ok(gathered) => gathered,
        Err(problem) => return failed(&problem, 1),
    };
    for found in &gathered.documents {
        say(&format!(
            "{}: {}, {} pages, {} bytes",
            found.title,
            found.format.word(),
            found.pages,
            found.bytes
        ));
    }
    if let Err(error) = engine::process::keep(&gathered) {
        return failed(&error.to_string(), 1);
    }
    wait(&task, &gathered, &place.join(FATES), &stop)
}

fn say(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}

fn failed(problem: &str, code: i32) -> i32 {
    let _ = writeln!(io::stderr(), "{problem}");
    code
}

/// Looks until nothing more becomes of the documents.
fn wait(task: &Task, gathered: &Gathered, fates: &Path, stop: &AtomicBool) -> i32 {
    let mut taken = false;
    loop {
        // Written as a whole: what is there can be read.
        let now: Fates =
            fs::read(fates).ok().and_then(|b| serde_json::from_slice(&b).ok()).unwrap_or_default();
        if let Some(problem) = &now.problem {
            return failed(problem, 1);
        }
        if now.spooled && !taken {
            taken = true;
            if let Err(problem) = take_away(&task.work.taken, gathered) {
                say(&problem);
            }
        }
        if let Some(ended) = &now.ended {
            for fate in ended {
                say(&format!("document {}: {}", fate.id, fate.words));
            }
            return i32::from(ended.iter().any(|fate| !fate.good));
        }
        if stop.load(Ordering::Relaxed) {
            return 130;
        }
        std::thread::sleep(LOOK);
    }
}

/// Documents are safe by now: their files go where the job says.
fn take_away(taken: &Taken, gathered: &Gathered) -> Result<(), String> {
    let mut problems = Vec::new();
    for found in &gathered.documents {
        let source = Path::new(&found.source);
        // Somebody may have put another file there meanwhile.
        let same = || {
            let now = fs::symlink_metadata(source).ok().map(|meta| arrival(&meta, source));
            now == found.arrival
        };
        let done = match taken {
            Taken::Keep => continue,
            _ if found.arrival.is_none() || !same() => continue,
            Taken::Remove => fs::remove_file(source),
            Taken::MoveTo(directory) => {
                let name = source.file_name().unwrap_or_default();
                move_without_replacing(source, &Path::new(directory).join(name))
            }
        };
        if let Err(error) = done {
            problems.push(format!("{} stays where it is: {error}", source.display()));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
}

/// A file of that name that is there already gets company and is not replaced.
fn move_without_replacing(from: &Path, to: &Path) -> io::Result<()> {
    for number in 0..1_000 {
        let beside = if number == 0 {
            to.to_owned()
        } else {
            to.with_file_name(format!(
                "{}.{number}",
                to.file_name().unwrap_or_default().to_string_lossy()
            ))
        };
        match fs::hard_link(from, &beside) {
            Ok(()) => return fs::remove_file(from),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("there are a thousand files of that name"))
}

fn arrival(meta: &fs::Metadata, path: &Path) -> String {
    format!("{}\n{}\n{}.{}", path.display(), meta.ino(), meta.mtime(), meta.mtime_nsec())
}

/// What there is, copied, looked at and cut.
fn gather(task: &Task, out: &Path) -> Result<Gathered, String> {
    let sources = sources(task)?;
    if sources.is_empty() && !task.work.may_be_none {
        let DocumentSource::Files(pattern) = &task.work.documents else {
            return Err("there is no document".to_owned());
        };
        return Err(format!(
            "there is no file {pattern}; say may-be-none: true where that is as it should be"
        ));
    }
    let mut documents = Vec::new();
    for (number, (path, title)) in (1..).zip(&sources) {
        let looked = Looking { task, out, number }.look(path, title);
        documents.push(looked.map_err(|problem| format!("{}: {problem}", path.display()))?);
    }
    let control = match &task.work.control {
        Some(rule) => Some(controlled(rule, &documents, task)?),
        None => None,
    };
    Ok(Gathered { documents, control })
}

/// Files and what people call them, in the order of their names.
fn sources(task: &Task) -> Result<Vec<(PathBuf, String)>, String> {
    if let Some((path, title)) = &task.brought {
        return Ok(vec![(path.clone(), title.clone())]);
    }
    let DocumentSource::Files(pattern) = &task.work.documents else {
        return Err("what it is to print was not brought".to_owned());
    };
    let (directory, name) = pattern.rsplit_once('/').unwrap_or(("", pattern));
    let directory = if directory.is_empty() { "/" } else { directory };
    let entries =
        fs::read_dir(directory).map_err(|error| format!("reading {directory}: {error}"))?;
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| format!("reading {directory}: {error}"))?;
        let Some(file) = entry.file_name().to_str().map(str::to_owned) else { continue };
        // As a shell does: what is hidden is asked for by its dot.
        let hidden = file.starts_with('.') && !name.starts_with('.');
        if !hidden && matches_name(name, &file) {
            found.push((entry.path(), file));
        }
        if found.len() > DOCUMENTS_MAX {
            return Err(format!("there are more than {DOCUMENTS_MAX} files {pattern}"));
        }
    }
    found.sort();
    Ok(found)
}

struct Looking<'a> {
    task: &'a Task,
    out: &'a Path,
    number: usize,
}

impl Looking<'_> {
    fn look(&self, path: &Path, title: &str) -> Result<Found, String> {
        let (bytes, meta) = self.read(path)?;
        let layout = self.layout();
        let limits = self.limits();
        let seen = document::inspect_within(&bytes, &layout, &limits).map_err(|e| e.to_string())?;
        let format = format_of(seen.format);
        let queue = &self.task.queue;
        if !queue.formats.is_empty() && !queue.formats.contains(&format) {
            let takes: Vec<&str> = queue.formats.iter().map(|f| f.word()).collect();
            return Err(format!(
                "it is {}; queue {} takes {}",
                format.word(),
                queue.name,
                takes.join(", ")
            ));
        }
        let (register, burst) = (&self.task.work.register, &self.task.work.burst);
        let texts = if register.is_some() || matches!(burst, Some(Burst::Marker(_))) {
            document::texts_within(&bytes, &layout, PAGE_TEXT_MAX, &limits)
                .map_err(|e| e.to_string())?
        } else {
            Vec::new()
        };
        let sheets = match register {
            Some(rule) => sheets(&texts, rule)?,
            None => Vec::new(),
        };
        let parts = match burst {
            Some(burst) => self.cut(burst, &bytes, seen.format, seen.pages, &texts)?,
            None => Vec::new(),
        };
        let file = format!("{}", self.number);
        self.write(&file, &bytes)?;
        let keeps = self.task.work.taken.is_keep() || self.task.brought.is_some();
        Ok(Found {
            file,
            title: title.to_owned(),
            source: path.display().to_string(),
            arrival: (!keeps).then(|| arrival(&meta, path)),
            format,
            pages: seen.pages,
            bytes: bytes.len() as u64,
            sheets,
            parts,
        })
    }

    fn layout(&self) -> TextLayout {
        let text = self.task.queue.text;
        TextLayout { lines: text.lines, columns: text.columns }
    }

    fn limits(&self) -> Limits {
        let bytes = usize::try_from(self.task.queue.limit_bytes).unwrap_or(usize::MAX);
        Limits { bytes, pages: self.task.queue.limit_pages, ..Limits::DEFAULT }
    }

    /// All of a file, where it is one, within the queue's limit.
    fn read(&self, path: &Path) -> Result<(Vec<u8>, fs::Metadata), String> {
        let flags = OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW;
        let opened = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path);
        let file = opened.map_err(|error| format!("it cannot be opened: {error}"))?;
        let meta = file.metadata().map_err(|error| error.to_string())?;
        if !meta.is_file() {
            return Err("it is no regular file".to_owned());
        }
        let limit = self.task.queue.limit_bytes;
        let too_large = || {
            format!("it has more than {limit} bytes, the limit of queue {}", self.task.queue.name)
        };
        if meta.len() > limit {
            return Err(too_large());
        }
        let mut bytes = Vec::new();
        file.take(limit + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| format!("reading it: {error}"))?;
        if bytes.len() as u64 > limit { Err(too_large()) } else { Ok((bytes, meta)) }
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), String> {
        let path = self.out.join(name);
        let written = File::create(&path).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        });
        written.map_err(|error| format!("keeping a copy in {}: {error}", path.display()))
    }

    fn cut(
        &self,
        burst: &Burst,
        bytes: &[u8],
        format: Format,
        pages: u32,
        texts: &[String],
    ) -> Result<Vec<Part>, String> {
        let sections: Vec<(String, PageRange)> = match burst {
            Burst::Marker(pattern) => {
                let marker = document::marker(pattern).map_err(|e| e.to_string())?;
                let found = document::sections(texts, &marker).map_err(|e| e.to_string())?;
                let range = |s: document::Section| {
                    let (from, to) = (*s.pages.start(), Some(*s.pages.end()));
                    (s.recipient, PageRange { from, to })
                };
                found.into_iter().map(range).collect()
            }
            Burst::Pages(parts) => {
                let all = parts.iter().map(|part| part.pages).collect::<Vec<_>>();
                for range in &all {
                    domain::print::check_ranges(&[*range], Some(pages))?;
                }
                let closed =
                    |range: PageRange| PageRange { to: Some(range.to.unwrap_or(pages)), ..range };
                parts.iter().map(|part| (part.recipient.clone(), closed(part.pages))).collect()
            }
        };
        if sections.len() > PARTS_MAX {
            return Err(format!("it has more than {PARTS_MAX} parts"));
        }
        let layout = self.layout();
        let mut parts = Vec::new();
        for (number, (recipient, pages)) in (1..).zip(sections) {
            let range = pages.from..=pages.to.unwrap_or(pages.from);
            let made = document::part_within(bytes, format, range, &layout, &self.limits());
            let file = format!("{}.{number}", self.number);
            self.write(&file, &made.map_err(|error| format!("pages {pages}: {error}"))?)?;
            parts.push(Part { recipient, pages, file });
        }
        Ok(parts)
    }
}

pub(super) fn format_of(format: Format) -> DocumentFormat {
    match format {
        Format::Pdf => DocumentFormat::Pdf,
        Format::PostScript => DocumentFormat::Postscript,
        Format::Text => DocumentFormat::Text,
        Format::PwgRaster => DocumentFormat::PwgRaster,
    }
}

/// What each sheet says. A sheet that says nothing where it must is an error: it would not be accounted for.
fn sheets(texts: &[String], rule: &RegisterRule) -> Result<Vec<Sheet>, String> {
    let regex = |pattern: &str| document::marker(pattern).map_err(|error| error.to_string());
    let amounts = regex(&rule.amount)?;
    let payee = rule.payee.as_deref().map(regex).transpose()?;
    let number = rule.number.as_deref().map(regex).transpose()?;
    let found =
        |regex: &Regex, text: &str| Some(regex.captures(text)?.get(1)?.as_str().trim().to_owned());
    let mut sheets = Vec::new();
    for (page, text) in (1..).zip(texts) {
        let amount = found(&amounts, text).ok_or_else(|| format!("page {page} says no amount"))?;
        let amount =
            amount::read(&amount, rule.decimal).map_err(|error| format!("page {page}: {error}"))?;
        let number = match number.as_ref().map(|regex| found(regex, text)) {
            None => None,
            Some(None) => return Err(format!("page {page} says no number")),
            Some(Some(text)) => {
                Some(text.parse().map_err(|_| format!("page {page}: {text:?} is no number"))?)
            }
        };
        let payee = payee.as_ref().and_then(|regex| found(regex, text));
        sheets.push(Sheet { page, amount: Some(amount), payee, number });
    }
    Ok(sheets)
}

/// Compares what the control file says with what was found in all documents.
fn controlled(
    rule: &ControlRule,
    documents: &[Found],
    task: &Task,
) -> Result<domain::event::ControlSeen, String> {
    let file = File::open(&rule.file)
        .map_err(|error| format!("the control file {}: {error}", rule.file))?;
    let mut bytes = Vec::new();
    let read = file.take(CONTROL_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|error| format!("the control file {}: {error}", rule.file))?;
    if bytes.len() as u64 > CONTROL_BYTES_MAX {
        return Err(format!(
            "the control file {} has more than {CONTROL_BYTES_MAX} bytes",
            rule.file
        ));
    }
    let text = String::from_utf8_lossy(&bytes);
    let total = match rule.count {
        Some(_) => amount::total_of_text(&text, rule)?,
        None => total_of_table(&text, rule)?,
    };
    let options = &task.work.options;
    let found = documents.iter().map(|one| u64::from(options.selected(one.pages))).sum();
    let amounts: Vec<Option<i64>> =
        documents.iter().flat_map(|one| &one.sheets).map(|one| one.amount).collect();
    Ok(amount::compare(total, found, &amounts))
}

/// The rows of a table are counted, and a column of it added up.
fn total_of_table(text: &str, rule: &ControlRule) -> Result<amount::ControlTotal, String> {
    let separator =
        u8::try_from(rule.separator).map_err(|_| "the separator is one byte".to_owned())?;
    let mut reader =
        csv::ReaderBuilder::new().delimiter(separator).flexible(false).from_reader(text.as_bytes());
    let bad = |error: csv::Error| format!("the control file {}: {error}", rule.file);
    let titles: BTreeMap<String, usize> = reader
        .headers()
        .map_err(bad)?
        .iter()
        .enumerate()
        .map(|(n, title)| (title.trim().to_owned(), n))
        .collect();
    let column = match &rule.amount {
        Some(title) => Some(*titles.get(title).ok_or_else(|| {
            let there: Vec<&str> = titles.keys().map(String::as_str).collect();
            format!(
                "the control file {} has no column {title:?}; it has {}",
                rule.file,
                there.join(", ")
            )
        })?),
        None => None,
    };
    let (mut count, mut sum) = (0, 0_i64);
    for row in reader.records() {
        let row = row.map_err(bad)?;
        count += 1;
        if let Some(column) = column {
            let value = amount::read(row.get(column).unwrap_or_default(), rule.decimal);
            let value = value
                .map_err(|error| format!("the control file {}, row {count}: {error}", rule.file))?;
            sum = sum.checked_add(value).ok_or("its amounts are more than can be counted")?;
        }
    }
    Ok(amount::ControlTotal { count, amount: column.map(|_| sum) })
}
