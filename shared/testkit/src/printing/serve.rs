//! What the printer answers.

use std::io::Read;

use super::message::{Group, JOB, Message, OPERATION, PRINTER, UNSUPPORTED, Value};
use super::press::{Job, Press, State, end};

const BAD_REQUEST: u16 = 0x0400;
const NOT_AUTHORIZED: u16 = 0x0403;
const NOT_POSSIBLE: u16 = 0x0404;
const NOT_FOUND: u16 = 0x0406;
const FORMAT_NOT_SUPPORTED: u16 = 0x040A;
const VALUES_NOT_SUPPORTED: u16 = 0x040B;
const OPERATION_NOT_SUPPORTED: u16 = 0x0501;
const NOT_ACCEPTING: u16 = 0x0506;

/// The numbers of operations (RFC 8011 §5.4.15).
pub mod operation {
    /// Print-Job, which this printer never has.
    pub const PRINT_JOB: u16 = 0x0002;
    /// Validate-Job.
    pub const VALIDATE_JOB: u16 = 0x0004;
    /// Create-Job.
    pub const CREATE_JOB: u16 = 0x0005;
    /// Send-Document.
    pub const SEND_DOCUMENT: u16 = 0x0006;
    /// Cancel-Job.
    pub const CANCEL_JOB: u16 = 0x0008;
    /// Get-Job-Attributes.
    pub const GET_JOB_ATTRIBUTES: u16 = 0x0009;
    /// Get-Jobs.
    pub const GET_JOBS: u16 = 0x000A;
    /// Get-Printer-Attributes.
    pub const GET_PRINTER_ATTRIBUTES: u16 = 0x000B;
    /// Hold-Job.
    pub const HOLD_JOB: u16 = 0x000C;
    /// Release-Job.
    pub const RELEASE_JOB: u16 = 0x000D;
}

/// An answer that is put together, or the status of a refusal.
type Answered = Result<Vec<Group>, u16>;

/// Does what is asked and says so. A document was read before.
pub(super) fn answer(press: &mut Press, request: &Message) -> Message {
    let mut groups = vec![Group::new(OPERATION)];
    groups[0].add("attributes-charset", [Value::Other(0x47, b"utf-8".to_vec())]);
    groups[0].add("attributes-natural-language", [Value::Other(0x48, b"en".to_vec())]);
    let code = match carry_out(press, request) {
        Ok(more) => {
            groups.extend(more);
            0
        }
        Err(status) => {
            groups[0].add("status-message", [Value::Text("not so".to_owned())]);
            status
        }
    };
    Message { code, id: request.id, groups }
}

/// Whether a document that follows would be taken, and for which job.
pub(super) fn expects_document(press: &Press, request: &Message) -> Result<u32, u16> {
    supported(press, request)?;
    let job = owned(press, request)?;
    if job.document.is_some() || job.state.has_ended() {
        return Err(NOT_POSSIBLE);
    }
    format(press, request)?;
    Ok(job.id)
}

fn supported(press: &Press, request: &Message) -> Result<(), u16> {
    let uri = request.text("printer-uri").ok_or(BAD_REQUEST)?;
    let stands_third = request.groups.first().and_then(|group| group.attributes.get(2));
    if !uri.starts_with("ipp") || stands_third.is_none_or(|(name, _)| name != "printer-uri") {
        return Err(BAD_REQUEST);
    }
    if press.setup.operations.contains(&request.code) {
        Ok(())
    } else {
        Err(OPERATION_NOT_SUPPORTED)
    }
}

fn carry_out(press: &mut Press, request: &Message) -> Answered {
    supported(press, request)?;
    match request.code {
        operation::GET_PRINTER_ATTRIBUTES => Ok(vec![filtered(printer(press), request)]),
        operation::GET_JOBS => Ok(list(press, request)),
        operation::GET_JOB_ATTRIBUTES => {
            let job = press.job(request.integer("job-id").unwrap_or(0)).ok_or(NOT_FOUND)?;
            Ok(vec![filtered(attributes(press, job), request)])
        }
        operation::VALIDATE_JOB => asked(press, request).map(|_| Vec::new()),
        operation::CREATE_JOB => {
            let job = asked(press, request)?;
            let id = press.add(job);
            told(press, id)
        }
        operation::SEND_DOCUMENT => told(press, owned(press, request)?.id),
        operation::CANCEL_JOB => {
            let id = owned(press, request)?.id;
            let now = press.up_time();
            change(press, id, |job| {
                (!job.state.has_ended()).then(|| end(job, State::Canceled, now))
            })
        }
        operation::HOLD_JOB => {
            let id = owned(press, request)?.id;
            change(press, id, |job| (job.state == State::Pending).then(|| hold(job)))
        }
        operation::RELEASE_JOB => {
            let id = owned(press, request)?.id;
            change(press, id, |job| {
                (job.state == State::Held && job.password.is_none()).then(|| release(job))
            })
        }
        _ => Err(OPERATION_NOT_SUPPORTED),
    }
}

fn change(press: &mut Press, id: u32, how: impl Fn(&mut Job) -> Option<()>) -> Answered {
    let job = press.job_mut(id).ok_or(NOT_FOUND)?;
    how(job).ok_or(NOT_POSSIBLE)?;
    Ok(Vec::new())
}

pub(super) fn hold(job: &mut Job) {
    job.state = State::Held;
    job.reasons.insert("job-hold-until-specified".to_owned());
}

pub(super) fn release(job: &mut Job) {
    job.state = State::Pending;
    job.reasons.remove("job-hold-until-specified");
    job.reasons.remove("job-password-wait");
}

/// The job a request is about, if whoever asks is its owner.
fn owned<'a>(press: &'a Press, request: &Message) -> Result<&'a Job, u16> {
    let job = press.job(request.integer("job-id").unwrap_or(0)).ok_or(NOT_FOUND)?;
    if request.text("requesting-user-name") == Some(&job.user) {
        Ok(job)
    } else {
        Err(NOT_AUTHORIZED)
    }
}

fn format(press: &Press, request: &Message) -> Result<(), u16> {
    match request.text("document-format") {
        Some(format) if !press.setup.formats.iter().any(|known| known == format) => {
            Err(FORMAT_NOT_SUPPORTED)
        }
        Some(_) | None => Ok(()),
    }
}

/// The job that is asked for, before it has a number.
fn asked(press: &Press, request: &Message) -> Result<Job, u16> {
    format(press, request)?;
    if !press.setup.accepting {
        return Err(NOT_ACCEPTING);
    }
    let integer = |name| request.get(JOB, name).first().and_then(Value::as_integer);
    let copies = integer("copies").unwrap_or(1);
    if !(1..=99).contains(&copies) {
        return Err(VALUES_NOT_SUPPORTED);
    }
    let keyword = |name| request.get(JOB, name).first().and_then(Value::as_text);
    let password = request.get(OPERATION, "job-password").first().and_then(|value| {
        if let Value::Octets(octets) = value { Some(octets.clone()) } else { None }
    });
    let range = |value: &Value| {
        if let Value::Range(min, max) = value { Some((*min, *max)) } else { None }
    };
    let ranges = request.get(JOB, "page-ranges").iter().filter_map(range).collect();
    let mut job = Job {
        id: 0,
        uuid: String::new(),
        name: request.text("job-name").unwrap_or("untitled").to_owned(),
        user: request.text("requesting-user-name").unwrap_or("anonymous").to_owned(),
        state: State::Pending,
        reasons: ["job-incoming".to_owned()].into(),
        password,
        two_sided: keyword("sides").is_some_and(|sides| sides.starts_with("two")),
        copies: usize::try_from(copies).unwrap_or(1),
        impressions: request.integer("job-impressions"),
        document: None,
        is_cut: false,
        ranges,
        pages: Vec::new(),
        done: 0,
        counted: 0,
        created: 0,
        ended: None,
    };
    if keyword("job-hold-until").is_some_and(|until| until != "no-hold") {
        hold(&mut job);
    }
    if job.password.is_some() {
        job.state = State::Held;
        job.reasons.insert("job-password-wait".to_owned());
    }
    Ok(job)
}

fn told(press: &Press, id: u32) -> Answered {
    let job = press.jobs.iter().find(|job| job.id == id).ok_or(NOT_FOUND)?;
    let mut group = attributes(press, job);
    let few = ["job-id", "job-uri", "job-state", "job-state-reasons"];
    group.attributes.retain(|(name, _)| few.contains(&name.as_str()));
    let mut groups = Vec::new();
    if !press.setup.ignores.is_empty() {
        let mut ignored = Group::new(UNSUPPORTED);
        for name in &press.setup.ignores {
            ignored.add(name, [Value::Other(0x10, Vec::new())]);
        }
        groups.push(ignored);
    }
    groups.push(group);
    Ok(groups)
}

fn list(press: &Press, request: &Message) -> Vec<Group> {
    let completed = request.text("which-jobs") == Some("completed");
    let number = |name| request.integer(name).and_then(|number| usize::try_from(number).ok());
    let skipped = match number("first-index") {
        Some(first) if press.setup.pages => first.saturating_sub(1),
        Some(_) | None => 0,
    };
    let mut jobs: Vec<&Job> =
        press.jobs.iter().filter(|job| job.state.has_ended() == completed).collect();
    if completed {
        // The newest first (RFC 8011 §4.2.6.2).
        jobs.reverse();
    }
    let limit = number("limit").unwrap_or(usize::MAX);
    let some = jobs.into_iter().skip(skipped).take(limit);
    some.map(|job| filtered(attributes(press, job), request)).collect()
}

fn filtered(mut group: Group, request: &Message) -> Group {
    let requested = request.get(OPERATION, "requested-attributes");
    let wants = |name: &str| requested.iter().any(|value| value.as_text() == Some(name));
    if !requested.is_empty() && !wants("all") {
        group.attributes.retain(|(name, _)| wants(name));
    }
    group
}

fn attributes(press: &Press, job: &Job) -> Group {
    let mut group = Group::new(JOB);
    let number = |number: usize| Value::Integer(i32::try_from(number).unwrap_or(i32::MAX));
    let mut state = match job.state {
        State::Pending => 3,
        State::Held => 4,
        State::Processing => 5,
        State::Canceled => 7,
        State::Aborted => 8,
        State::Completed => 9,
    };
    let mut reasons = job.reasons.clone();
    if state == 5 && press.is_stopped() {
        state = 6;
        reasons.insert("printer-stopped".to_owned());
    }
    if reasons.is_empty() {
        reasons.insert("none".to_owned());
    }
    let id = i32::try_from(job.id).unwrap_or(i32::MAX);
    group.add("job-id", [Value::Integer(id)]);
    group.add("job-uri", [Value::Uri(format!("{}/{id}", press.uri))]);
    group.add("job-uuid", [Value::Uri(job.uuid.clone())]);
    group.add("job-name", [Value::Name(job.name.clone())]);
    group.add("job-originating-user-name", [Value::Name(job.user.clone())]);
    group.add("job-state", [Value::Enum(state)]);
    group.add("job-state-reasons", reasons.iter().map(|reason| Value::keyword(reason)));
    let told = job.impressions.map(Value::Integer);
    let known = job.document.as_ref().map(|_| number(job.pages.len() * job.copies));
    group.add("job-impressions", told.or(known));
    if press.setup.counts {
        let counted = i32::try_from(job.counted).unwrap_or(i32::MAX) + press.lie;
        group.add("job-impressions-completed", [Value::Integer(counted.max(0))]);
        let sheets = if job.two_sided { job.counted.div_ceil(2) } else { job.counted };
        group.add("job-media-sheets-completed", [number(sheets)]);
    }
    group.add("time-at-creation", [Value::Integer(job.created)]);
    group.add("time-at-completed", job.ended.map(Value::Integer));
    group.add("job-printer-up-time", [Value::Integer(press.up_time())]);
    group
}

fn printer(press: &Press) -> Group {
    let mut group = Group::new(PRINTER);
    let setup = &press.setup;
    let busy = press.jobs.iter().any(|job| job.state == State::Processing);
    let state = if press.is_stopped() { 5 } else { 3 + i32::from(busy) };
    let keywords =
        |words: &[&str]| words.iter().map(|word| Value::keyword(word)).collect::<Vec<_>>();
    let mut reasons: Vec<Value> =
        press.reasons.iter().map(|reason| Value::keyword(reason)).collect();
    if reasons.is_empty() {
        reasons.push(Value::keyword("none"));
    }
    let queued = press.jobs.iter().filter(|job| !job.state.has_ended()).count();
    group.add("printer-uuid", [Value::Uri(press.uuid.clone())]);
    group.add("printer-name", [Value::Name("paper".to_owned())]);
    group.add("printer-make-and-model", [Value::Text("Decklog Paper".to_owned())]);
    group.add("printer-state", [Value::Enum(state)]);
    group.add("printer-state-reasons", reasons);
    group.add("printer-is-accepting-jobs", [Value::Boolean(setup.accepting)]);
    group.add("queued-job-count", [Value::Integer(i32::try_from(queued).unwrap_or(i32::MAX))]);
    group.add("printer-up-time", [Value::Integer(press.up_time())]);
    group.add(
        "operations-supported",
        setup.operations.iter().map(|code| Value::Enum(i32::from(*code))),
    );
    group.add("document-format-supported", setup.formats.iter().cloned().map(Value::Mime));
    group.add("copies-supported", [Value::Range(1, 99)]);
    group.add(
        "sides-supported",
        keywords(&["one-sided", "two-sided-long-edge", "two-sided-short-edge"]),
    );
    group.add("media-supported", keywords(&["iso_a4_210x297mm", "iso_a5_148x210mm"]));
    group.add("media-ready", keywords(&["iso_a4_210x297mm"]));
    group.add("media-col-supported", keywords(&["media-source", "media-size-name"]));
    group.add("media-source-supported", keywords(&["tray-1", "tray-2"]));
    group.add("finishings-supported", [Value::Enum(3), Value::Enum(4)]);
    group.add("output-bin-supported", keywords(&["face-down", "face-up"]));
    group.add("page-ranges-supported", [Value::Boolean(true)]);
    group.add("job-priority-supported", [Value::Integer(100)]);
    group.add("job-hold-until-supported", keywords(&["no-hold", "indefinite"]));
    group.add("job-impressions-supported", [Value::Range(0, 1_000_000)]);
    group.add("job-password-supported", [Value::Integer(16)]);
    group.add("job-password-encryption-supported", keywords(&["none"]));
    group
}

/// Reads a document up to a limit; whether it was cut.
pub(super) fn read_document(from: &mut dyn Read, most: u64) -> (Vec<u8>, bool) {
    let mut document = Vec::new();
    let read = from.take(most).read_to_end(&mut document);
    (document, read.is_err())
}
