//! What a job of kind `print` does: which documents it takes, where they go, and what is checked of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::options::{Options, PageRange, ReleaseBy, Sides};
use crate::ids::{StreamId, is_name};
use crate::site::ThingKind;
use crate::time::HumanDuration;

/// `print:`: documents that are printed, sent, or both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PrintWork {
    /// Where they come from.
    pub documents: DocumentSource,
    /// The queue they go to.
    pub queue: String,
    /// What they are for, in a word: `invoices`, `checks`. The same content for the same purpose is not printed twice
    /// within a run.
    #[serde(default = "report", skip_serializing_if = "is_report")]
    pub purpose: String,
    /// Whether it goes to paper; otherwise it is only sent.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub paper: bool,
    /// How they are printed.
    #[serde(default, skip_serializing_if = "Options::is_plain")]
    pub options: Options,
    /// 1 to 100; of those that wait the highest is printed first.
    #[serde(default = "fifty", skip_serializing_if = "is_fifty")]
    pub priority: u8,
    /// Who lets them go.
    #[serde(default, skip_serializing_if = "ReleaseBy::is_at_once")]
    pub release: ReleaseBy,
    /// For how long the content is kept after printing; as long as the queue says when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<HumanDuration>,
    /// The class of content, which stands beside its commitment in the log: `general`, `payroll`, `health`.
    #[serde(default = "general", skip_serializing_if = "is_general")]
    pub class: String,
    /// The numbered stock they are printed on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<String>,
    /// What each sheet of a form says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub register: Option<RegisterRule>,
    /// What the source says there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<ControlRule>,
    /// What happens to files that were taken.
    #[serde(default, skip_serializing_if = "Taken::is_keep")]
    pub taken: Taken,
    /// Whether a run that finds no document is as it should be.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_be_none: bool,
    /// How they are cut for several recipients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<Burst>,
    /// To whom they are sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deliver: Vec<Deliver>,
}

/// Where documents come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DocumentSource {
    /// Files of the host: an absolute path whose last part may have `*` and `?`.
    Files(String),
    /// What another job's newest run that did its work wrote; of the runs it waits for, where it waits for that job.
    OutputOf(String),
    /// A file that such a run kept.
    Artefact(ArtefactOf),
}

/// A file that another job's run kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ArtefactOf {
    /// The job.
    pub job: String,
    /// Which of its artefacts.
    pub name: String,
}

/// What each sheet says, found in the text of its page: regular expressions whose first group is the value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RegisterRule {
    /// The amount.
    pub amount: String,
    /// The payee.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payee: Option<String>,
    /// The number that the document itself prints, where it does: it must be the number of the sheet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// Which of `.` and `,` stands before the cents.
    #[serde(default = "point", skip_serializing_if = "is_point")]
    pub decimal: char,
}

/// A control total: a file beside the documents that says how many there are, and what they come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ControlRule {
    /// The file, absolute.
    pub file: String,
    /// A regular expression whose first group is the count. Without one, the file is a table with a line of titles, and
    /// its rows are counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<String>,
    /// A regular expression whose first group is the total; or, of a table, the title of the column that is added up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<String>,
    /// Of a table, what stands between its columns.
    #[serde(default = "comma", skip_serializing_if = "is_comma")]
    pub separator: char,
    /// Which of `.` and `,` stands before the cents.
    #[serde(default = "point", skip_serializing_if = "is_point")]
    pub decimal: char,
}

/// What happens to files that were taken.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Taken {
    /// They stay where they are.
    #[default]
    Keep,
    /// They are removed.
    Remove,
    /// They are moved to this directory, on the same file system.
    MoveTo(String),
}

impl Taken {
    /// Whether nothing happens to them.
    pub fn is_keep(&self) -> bool {
        *self == Self::Keep
    }
}

/// How a document is cut for several recipients.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Burst {
    /// A new part begins on each page where this regular expression finds another recipient: its first group is the
    /// recipient's key.
    Marker(String),
    /// These pages are for these recipients.
    Pages(Vec<BurstPart>),
}

/// Pages for a recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BurstPart {
    /// The recipient's key.
    pub recipient: String,
    /// Which pages.
    pub pages: PageRange,
}

/// To whom documents are sent. Names and addresses stand in a list of the host's own, and in no event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Deliver {
    /// By e-mail.
    Mail(MailTo),
    /// Into a directory of the host.
    Directory(DirectoryTo),
    /// Into a directory of another host.
    Sftp(SftpTo),
}

/// By e-mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct MailTo {
    /// The list of the host's own: all who stand in it, or of a document that is cut those whose keys its parts have.
    pub list: String,
    /// The subject. `{recipient}`, `{pages}` and `{document}` are filled in.
    pub subject: String,
    /// The text, likewise.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub body: String,
    /// Whether the document is attached; otherwise the text says where it is.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub attach: bool,
}

/// Into a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DirectoryTo {
    /// The directory, absolute.
    pub path: String,
}

/// Into a directory of another host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SftpTo {
    /// `user@host:/directory`.
    pub to: String,
}

/// Most parts of a document that is cut by its pages.
const PARTS_MAX: usize = 200;
/// Most ways of delivery of a job.
const DELIVER_MAX: usize = 10;

impl PrintWork {
    /// The things of the site that it names.
    pub fn named(&self) -> impl Iterator<Item = StreamId> {
        let queue = StreamId::thing(ThingKind::Queue, &self.queue);
        let form = self.form.as_ref().map(|name| StreamId::thing(ThingKind::Form, name));
        std::iter::once(queue).chain(form)
    }

    /// The texts in which tokens are replaced.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &String> {
        let files =
            if let DocumentSource::Files(pattern) = &self.documents { Some(pattern) } else { None };
        let control = self.control.iter().map(|control| &control.file);
        let deliver = self.deliver.iter().flat_map(|one| match one {
            Deliver::Mail(mail) => vec![&mail.subject, &mail.body],
            Deliver::Directory(to) => vec![&to.path],
            Deliver::Sftp(to) => vec![&to.to],
        });
        files.into_iter().chain(control).chain(deliver)
    }

    /// The same texts, to be replaced.
    pub(crate) fn texts_mut(&mut self) -> impl Iterator<Item = &mut String> {
        let files = if let DocumentSource::Files(pattern) = &mut self.documents {
            Some(pattern)
        } else {
            None
        };
        let control = self.control.iter_mut().map(|control| &mut control.file);
        let deliver = self.deliver.iter_mut().flat_map(|one| match one {
            Deliver::Mail(mail) => vec![&mut mail.subject, &mut mail.body],
            Deliver::Directory(to) => vec![&mut to.path],
            Deliver::Sftp(to) => vec![&mut to.to],
        });
        files.into_iter().chain(control).chain(deliver)
    }

    /// Everything that is wrong with it, by field.
    pub fn problems(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut add =
            |field: &str, message: &str| found.push((format!("print.{field}"), message.to_owned()));
        for (field, name) in self.names() {
            if !is_name(name) {
                add(
                    field,
                    &format!("{name:?} is not a name (a-z, 0-9, '.', '_', '-'; at most 63)"),
                );
            }
        }
        if let DocumentSource::Files(pattern) = &self.documents
            && let Err(message) = check_pattern(pattern)
        {
            add("documents.files", message);
        }
        for (field, message) in self.options.problems() {
            add(&format!("options.{field}"), &message);
        }
        if !(1..=100).contains(&self.priority) {
            add("priority", "1 to 100");
        }
        if self.keep.is_some_and(|keep| keep.millis() > super::queue::KEEP_MS_MAX) {
            add("keep", "at most a century");
        }
        self.check_form(&mut add);
        self.check_patterns(&mut add);
        self.check_delivery(&mut add);
        if let Taken::MoveTo(directory) = &self.taken
            && !directory.starts_with('/')
        {
            add("taken.move-to", "it is an absolute path");
        }
        if !self.taken.is_keep() && !matches!(self.documents, DocumentSource::Files(_)) {
            add("taken", "only files of the host can be removed or moved");
        }
        found
    }

    fn names(&self) -> Vec<(&'static str, &str)> {
        let mut names = vec![
            ("queue", self.queue.as_str()),
            ("purpose", &self.purpose),
            ("class", &self.class),
        ];
        names.extend(self.form.iter().map(|name| ("form", name.as_str())));
        match &self.documents {
            DocumentSource::Files(_) => {}
            DocumentSource::OutputOf(job) => names.push(("documents.output-of", job)),
            DocumentSource::Artefact(of) => {
                names.push(("documents.artefact.job", &of.job));
                names.push(("documents.artefact.name", &of.name));
            }
        }
        names
    }

    fn check_form(&self, add: &mut impl FnMut(&str, &str)) {
        if self.form.is_none() {
            if self.register.is_some() {
                add("register", "only sheets of a form have one");
            }
            return;
        }
        if !self.paper {
            add("form", "a form is paper");
        }
        if self.options.copies != 1 {
            add("options.copies", "a form is printed once");
        }
        if self.options.sides.is_some_and(|sides| sides != Sides::OneSided) {
            add("options.sides", "each sheet of a form has one number: it is printed on one side");
        }
    }

    fn check_patterns(&self, add: &mut impl FnMut(&str, &str)) {
        let mut check = |field: &str, pattern: Option<&String>| {
            let Some(pattern) = pattern else { return };
            if let Err(message) = check_regex(pattern) {
                add(field, &message);
            }
        };
        if let Some(register) = &self.register {
            check("register.amount", Some(&register.amount));
            check("register.payee", register.payee.as_ref());
            check("register.number", register.number.as_ref());
        }
        if let Some(control) = &self.control {
            check("control.count", control.count.as_ref());
            if control.count.is_some() {
                check("control.amount", control.amount.as_ref());
            }
            if control.amount.is_some() && self.register.is_none() {
                add(
                    "control.amount",
                    "what is added up must be read: give the document a register",
                );
            }
            if !control.file.starts_with('/') {
                add("control.file", "it is an absolute path");
            }
        }
        if let Some(Burst::Marker(marker)) = &self.burst
            && let Err(message) = check_regex(marker)
        {
            add("burst.marker", &message);
        }
    }

    fn check_burst(&self, add: &mut impl FnMut(&str, &str)) {
        let Some(Burst::Pages(parts)) = &self.burst else { return };
        if !(1..=PARTS_MAX).contains(&parts.len()) {
            add("burst.pages", "1 to 200 parts");
        }
        if parts.iter().any(|part| part.recipient.trim().is_empty() || part.recipient.len() > 100) {
            add("burst.pages", "each part has the key of its recipient, of at most 100 bytes");
        }
    }

    fn check_delivery(&self, add: &mut impl FnMut(&str, &str)) {
        if !self.paper && self.deliver.is_empty() {
            add("paper", "what does not go to paper is sent somewhere: see `deliver`");
        }
        if !self.paper && !self.release.is_at_once() {
            add("release", "nobody releases what does not go to paper: it is sent at once");
        }
        self.check_burst(add);
        if self.burst.is_some() && self.deliver.is_empty() {
            add("burst", "parts are for recipients: see `deliver`");
        }
        if self.deliver.len() > DELIVER_MAX {
            add("deliver", "at most 10");
        }
        for deliver in &self.deliver {
            match deliver {
                Deliver::Mail(mail) if !is_name(&mail.list) => {
                    add("deliver.mail.list", "it is not the name of a list of the host");
                }
                Deliver::Mail(mail)
                    if mail.subject.is_empty() || mail.subject.contains(['\n', '\r']) =>
                {
                    add("deliver.mail.subject", "one line of text");
                }
                Deliver::Mail(_) => {}
                Deliver::Directory(to) if !to.path.starts_with('/') => {
                    add("deliver.directory.path", "it is an absolute path");
                }
                Deliver::Directory(_) => {}
                Deliver::Sftp(to) => {
                    if let Err(message) = check_sftp(&to.to) {
                        add("deliver.sftp.to", message);
                    }
                }
            }
        }
    }
}

/// A pattern of files: wildcards stand in the name of the file only.
fn check_pattern(pattern: &str) -> Result<(), &'static str> {
    let (directory, name) = pattern.rsplit_once('/').ok_or("it is an absolute path")?;
    if !pattern.starts_with('/') {
        return Err("it is an absolute path");
    }
    if directory.contains(['*', '?']) {
        return Err("* and ? stand in the name of the file, not in its directory");
    }
    if name.is_empty() || pattern.contains('\0') {
        return Err("it names no file");
    }
    Ok(())
}

fn check_sftp(to: &str) -> Result<(), &'static str> {
    const SHAPE: &str = "write user@host:/directory";
    let (host, path) = to.split_once(':').ok_or(SHAPE)?;
    // Neither part can be taken for an option of a program, nor mean anything to a shell. Braces are of tokens.
    let word = |part: &str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-{}".contains(&b);
        !part.is_empty() && !part.starts_with('-') && part.bytes().all(plain)
    };
    let (user, host) = host.split_once('@').ok_or(SHAPE)?;
    if !word(user) || !word(host) {
        return Err(SHAPE);
    }
    if !path.starts_with('/') || path.contains(['\n', '\0', '"']) {
        return Err(SHAPE);
    }
    Ok(())
}

/// A regular expression with a group.
fn check_regex(pattern: &str) -> Result<(), String> {
    if pattern.len() > 500 {
        return Err("at most 500 bytes".to_owned());
    }
    let read = regex_lite::Regex::new(pattern).map_err(|error| error.to_string())?;
    if read.captures_len() < 2 {
        return Err(format!("{pattern:?} has no group in round brackets for the value"));
    }
    Ok(())
}

fn report() -> String {
    "report".to_owned()
}

fn is_report(text: &str) -> bool {
    text == "report"
}

fn general() -> String {
    "general".to_owned()
}

fn is_general(text: &str) -> bool {
    text == "general"
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_yes(is: &bool) -> bool {
    *is
}

fn fifty() -> u8 {
    50
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_fifty(n: &u8) -> bool {
    *n == 50
}

fn point() -> char {
    '.'
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_point(c: &char) -> bool {
    *c == '.'
}

fn comma() -> char {
    ','
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_comma(c: &char) -> bool {
    *c == ','
}
