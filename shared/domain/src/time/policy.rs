//! What a schedule of fixed times does on the day its zone's clock jumps.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The rule for wall-clock times that a clock change removes or repeats.
///
/// It applies to *fixed* times only: those of a schedule whose minute and hour fields hold neither a wildcard
/// nor a step, and `at` entries without an offset. A schedule with a wildcard or step in minute or hour runs at
/// the instants whose wall clock matches: none in a gap, both halves of an overlap. The defaults are those of
/// RFC 5545 §3.3.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct DstPolicy {
    /// What becomes of a time that does not exist because the clock was put forward over it.
    pub gap: Gap,
    /// Which of the two instants is meant by a time that exists twice because the clock was put back.
    pub overlap_time: OverlapTime,
}

/// What becomes of a wall-clock time inside a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Gap {
    /// Read with the offset before the gap: 02:30 runs at 03:30 summer time (RFC 5545 §3.3.5).
    #[default]
    Shift,
    /// Run at the first instant after the gap, as cronie does: 02:30 runs at 03:00 summer time.
    End,
    /// Left out that day.
    Skip,
}

/// Which instant a wall-clock time inside an overlap means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OverlapTime {
    /// The first of the two (RFC 5545 §3.3.5).
    #[default]
    First,
    /// The second of the two.
    Second,
    /// Each of the two: the job runs twice that day.
    Both,
}
