//! Queues, as people write them: where documents wait, and the printer they go to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::options::{DocumentFormat, Options, ReleaseBy};
use crate::ids::is_name;
use crate::job::Problem;
use crate::job::secrets::SecretRef;
use crate::time::HumanDuration;

/// The word that makes a document a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum QueueKind {
    /// A queue.
    #[default]
    Queue,
}

/// How documents get to the printer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// Straight to it.
    #[default]
    Direct,
    /// Through a print server (CUPS and the like). What it counts are pages it has sent and not pages that were printed:
    /// it is never taken as evidence, and no form is printed so.
    Server,
}

/// How plain text is laid out on pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TextLayout {
    /// Lines on a page.
    pub lines: u16,
    /// Characters in a line; longer lines go on in the next.
    pub columns: u16,
}

impl Default for TextLayout {
    fn default() -> Self {
        Self { lines: 60, columns: 80 }
    }
}

/// A directory whose files are printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Inbox {
    /// The host that has it.
    pub host: String,
    /// The directory, absolute.
    pub directory: String,
    /// For how long a file must have been left alone before it is taken.
    #[serde(default = "five_seconds")]
    pub settle: HumanDuration,
    /// How its documents are printed.
    #[serde(default, skip_serializing_if = "Options::is_plain")]
    pub options: Options,
}

/// A queue, as written in a YAML document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct QueueDefinition {
    /// Always `queue`.
    pub kind: QueueKind,
    /// Its name: `[a-z0-9][a-z0-9._-]{0,62}`.
    pub name: String,
    /// What it is for, in a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Whom to ask about it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub owner: String,
    /// The printer: `ipp://host[:port]/path`, or `ipps://…` with its certificate checked. Never with a password in it.
    pub printer: String,
    /// How documents get there.
    #[serde(default, skip_serializing_if = "is_direct")]
    pub transport: Transport,
    /// For a printer that asks who is there, the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// And where the password is: `file:`, `env:`, `credential:` or `exec:`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// Which documents it takes; what the printer takes where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub formats: Vec<DocumentFormat>,
    /// How plain text is counted.
    #[serde(default, skip_serializing_if = "is_usual_layout")]
    pub text: TextLayout,
    /// Who lets its documents go, whatever their jobs say.
    #[serde(default, skip_serializing_if = "ReleaseBy::is_at_once")]
    pub release: ReleaseBy,
    /// Largest document, in bytes.
    #[serde(default = "most_bytes", skip_serializing_if = "is_most_bytes")]
    pub limit_bytes: u64,
    /// Most pages of a document.
    #[serde(default = "most_pages", skip_serializing_if = "is_most_pages")]
    pub limit_pages: u32,
    /// For how long a printer that does not answer is asked what became of a document before that is unknown.
    #[serde(default = "ten_minutes", skip_serializing_if = "is_ten_minutes")]
    pub patience: HumanDuration,
    /// For how long documents are kept after printing, unless their jobs say otherwise.
    #[serde(default = "a_week", skip_serializing_if = "is_a_week")]
    pub keep: HumanDuration,
    /// A directory whose files it prints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inbox: Option<Inbox>,
}

/// Largest document of any queue, in bytes: it is read into the memory of the process that looks at it.
pub const DOCUMENT_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Most pages of any document.
const DOCUMENT_PAGES_MAX: u32 = 100_000;
/// Longest time for which content is kept: legal holds are for evidence, and a century is a slip of the pen.
pub(crate) const KEEP_MS_MAX: u64 = 100 * 366 * 86_400_000;

impl QueueDefinition {
    /// Everything that is wrong with it.
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut add = |field: &str, message: String| {
            found.push(Problem { field: field.to_owned(), message });
        };
        if let Err(message) = check_printer(&self.printer) {
            add("printer", message);
        }
        if let Some(Err(message)) = self.password.as_ref().map(|text| text.parse::<SecretRef>()) {
            add("password", message);
        }
        if self.user.is_some() != self.password.is_some() {
            add("user", "a user and a password belong together".to_owned());
        }
        if self.text.lines == 0 || self.text.columns == 0 {
            add("text", "at least one line and one column".to_owned());
        }
        if !(1..=DOCUMENT_BYTES_MAX).contains(&self.limit_bytes) {
            add("limit-bytes", format!("1 to {DOCUMENT_BYTES_MAX}"));
        }
        if !(1..=DOCUMENT_PAGES_MAX).contains(&self.limit_pages) {
            add("limit-pages", format!("1 to {DOCUMENT_PAGES_MAX}"));
        }
        if self.patience.millis() < 1_000 || self.patience.millis() > 86_400_000 {
            add("patience", "1s to 1d".to_owned());
        }
        if self.keep.millis() > KEEP_MS_MAX {
            add("keep", "at most a century".to_owned());
        }
        if let Some(inbox) = &self.inbox {
            if !is_name(&inbox.host) {
                add("inbox.host", format!("{:?} is not the name of a host", inbox.host));
            }
            if !inbox.directory.starts_with('/') {
                add("inbox.directory", "it is an absolute path".to_owned());
            }
            for (field, message) in inbox.options.problems() {
                add(&format!("inbox.options.{field}"), message);
            }
        }
        found
    }
}

fn check_printer(uri: &str) -> Result<(), String> {
    let rest = uri.strip_prefix("ipps://").or_else(|| uri.strip_prefix("ipp://"));
    let rest = rest.ok_or("write ipp://host/path or ipps://host/path")?;
    if uri.len() > 500 || !uri.bytes().all(|b| b.is_ascii_graphic()) {
        return Err("it is at most 500 printable characters without spaces".to_owned());
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(
            "no user or password belongs here: name them in `user` and `password`".to_owned()
        );
    }
    if authority.is_empty() {
        return Err("it names no host".to_owned());
    }
    Ok(())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_direct(transport: &Transport) -> bool {
    *transport == Transport::Direct
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_usual_layout(layout: &TextLayout) -> bool {
    *layout == TextLayout::default()
}

fn five_seconds() -> HumanDuration {
    HumanDuration::from_secs(5)
}

fn most_bytes() -> u64 {
    64 * 1024 * 1024
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_most_bytes(bytes: &u64) -> bool {
    *bytes == most_bytes()
}

fn most_pages() -> u32 {
    5_000
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_most_pages(pages: &u32) -> bool {
    *pages == most_pages()
}

fn ten_minutes() -> HumanDuration {
    HumanDuration::from_secs(600)
}

fn is_ten_minutes(duration: &HumanDuration) -> bool {
    *duration == ten_minutes()
}

fn a_week() -> HumanDuration {
    HumanDuration::from_secs(7 * 86_400)
}

fn is_a_week(duration: &HumanDuration) -> bool {
    *duration == a_week()
}
