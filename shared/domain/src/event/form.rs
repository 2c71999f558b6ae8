//! Bodies of `form.*` and `queue.*` beside definitions: what became of each number of numbered stock, and whether a
//! queue goes on.

use serde::{Deserialize, Serialize};

use crate::ids::StreamId;

/// `form.loaded` 1: stock was put where it is printed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormLoaded {
    /// The number on the first sheet.
    pub first: u64,
    /// The number on the last.
    pub last: u64,
    /// Anything to remember: the box, the delivery.
    pub note: String,
}

/// `form.witnessed` 1: a second person saw that it was that stock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormWitnessed {
    /// Place of `form.loaded` in the form's stream.
    pub batch: u64,
    /// The number they read on the first sheet.
    pub first: u64,
    /// And on the last.
    pub last: u64,
}

/// `form.unloaded` 1: what is left of a batch was taken out; none of it is printed on any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormUnloaded {
    /// Place of `form.loaded` in the form's stream.
    pub batch: u64,
    /// Why, and where it is now.
    pub reason: String,
}

/// `form.allocated` 1: these numbers are for this printing of this document, and for nothing else ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormAllocated {
    /// The document.
    pub document: StreamId,
    /// Which printing of it.
    pub round: u32,
    /// The first number.
    pub first: u64,
    /// The last.
    pub last: u64,
}

/// `form.printed` 1: the sheets with these numbers were printed, as the printer counted or as somebody saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormPrinted {
    /// The document.
    pub document: StreamId,
    /// Which printing of it.
    pub round: u32,
    /// The first number.
    pub first: u64,
    /// The last.
    pub last: u64,
    /// Why it is known, where somebody saw it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub evidence: String,
}

/// What became of a sheet that does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spent {
    /// Printed, and made invalid.
    Voided,
    /// Torn, jammed, soiled, used for a test.
    Spoiled,
}

/// `form.voided` 1: the sheets with these numbers do not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormVoided {
    /// The first number.
    pub first: u64,
    /// The last.
    pub last: u64,
    /// What became of them.
    pub how: Spent,
    /// Why.
    pub reason: String,
}

/// `form.returned` 1: the sheets with these numbers were given to a printing that ended before them, lie blank in the tray,
/// and are free again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormReturned {
    /// The document.
    pub document: StreamId,
    /// Which printing of it.
    pub round: u32,
    /// The first number.
    pub first: u64,
    /// The last.
    pub last: u64,
    /// How that is known.
    pub reason: String,
}

/// `form.slipped` 1: within a printing that has ended, the sheets with these numbers went through without their pages, such as
/// those a printer fed and spoiled before it went on by itself. Each page that would have lain on them, and each after
/// those, lies on a later sheet; the printing used as many sheets more, above its last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormSlipped {
    /// The document.
    pub document: StreamId,
    /// Which printing of it.
    pub round: u32,
    /// The first number without a page.
    pub first: u64,
    /// The last.
    pub last: u64,
    /// How that is known.
    pub reason: String,
}

/// `form.checked` 1: after a printing, a second person read the numbers on its first and last sheet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormChecked {
    /// The document.
    pub document: StreamId,
    /// Which printing of it.
    pub round: u32,
    /// The number on the first sheet.
    pub first: u64,
    /// The number on the last.
    pub last: u64,
}

/// `form.register-read` 1: somebody was given payees and amounts by number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormRegisterRead {
    /// The first number.
    pub first: u64,
    /// The last.
    pub last: u64,
    /// Why they wanted it.
    pub reason: String,
}

/// `queue.held` 1: nothing more goes to its printer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueHeld {
    /// Why.
    pub reason: String,
}

/// `queue.released` 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueReleased {
    /// Why.
    pub reason: String,
}

/// `queue.stopped` 1: documents wait, because its printer does not take any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueStopped {
    /// The host that sees it so.
    pub host: String,
    /// What is wrong, in words.
    pub troubles: Vec<String>,
}

/// `queue.continued` 1: it takes documents again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueContinued {
    /// The host that sees it so.
    pub host: String,
}
