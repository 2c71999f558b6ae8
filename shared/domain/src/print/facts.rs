//! What a host knows of a document and tells those who may know: it stands in no event.

use serde::{Deserialize, Serialize};

/// What a host knows of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentFacts {
    /// What people call it.
    pub title: String,
    /// Where it came from.
    pub source: String,
    /// What its sheets say.
    pub sheets: Vec<SheetFacts>,
    /// Keys of its recipients, in the order of its deliveries.
    pub recipients: Vec<String>,
    /// What must be given to release it.
    pub code: Option<String>,
}

/// What a sheet of a form says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SheetFacts {
    /// The page.
    pub page: u32,
    /// The amount, in ten-thousandths.
    pub amount: Option<i64>,
    /// The payee.
    pub payee: Option<String>,
    /// The number the document itself prints.
    pub number: Option<u64>,
}
