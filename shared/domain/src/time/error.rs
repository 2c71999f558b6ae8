//! Why a schedule is refused, in sentences for the person who wrote it.

/// A schedule that cannot be accepted. Each message says what was written, what is wrong with it and what to
/// write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// The tz database has no such zone.
    #[error("unknown time zone `{zone}`{}", hint(.near.as_deref()))]
    UnknownZone {
        /// The name as written.
        zone: String,
        /// A zone whose name is close to it, if there is one.
        near: Option<String>,
    },
    /// The expression has the wrong number of fields.
    #[error("`{expression}` has {found} fields: {allowed}")]
    FieldCount {
        /// The expression as written.
        expression: String,
        /// How many fields it has.
        found: usize,
        /// What would be right.
        allowed: &'static str,
    },
    /// One field of the expression is wrong.
    #[error("`{expression}`: the {field} field `{text}` {problem}; allowed: {allowed}")]
    Field {
        /// The expression as written.
        expression: String,
        /// The field's name.
        field: &'static str,
        /// The field as written.
        text: String,
        /// What is wrong with it.
        problem: String,
        /// What the field may hold.
        allowed: &'static str,
    },
    /// An `@` word that is not a schedule, or not one we know.
    #[error("`{word}`: {problem}")]
    Word {
        /// The word as written.
        word: String,
        /// What is wrong and what to do.
        problem: &'static str,
    },
    /// The expression as a whole is refused by the crate that reads it.
    #[error("`{expression}` cannot be read: {reason}")]
    Expression {
        /// The expression as written.
        expression: String,
        /// The reason given.
        reason: String,
    },
    /// The schedule names no instant at all.
    #[error("`{schedule}` never fires: {reason}")]
    NeverFires {
        /// The schedule as written.
        schedule: String,
        /// Why there is no such time.
        reason: &'static str,
    },
    /// The interval of an `every` schedule is too short or not in whole seconds.
    #[error("`every: {interval}`: an interval must be a whole number of seconds and at least 1s")]
    Interval {
        /// The interval as written.
        interval: String,
    },
    /// Elapsed time has no time of day that could be kept on another day.
    #[error(
        "`every` counts elapsed time and cannot move to another day: use `otherwise: skip` or `run`"
    )]
    MovesElapsed,
    /// A calendar that the schedule names cannot be used.
    #[error("{0}")]
    Calendar(String),
    /// The anchor or entry is not on a whole second, which a run's identity cannot express.
    #[error("`{time}`: schedules count in whole seconds; leave the fraction out")]
    Fraction {
        /// The time as written.
        time: String,
    },
    /// A date-time lies outside the years -9999 to 9999.
    #[error("`{time}` is outside the years this program can count; use a year from 1970 to 9998")]
    OutOfRange {
        /// The time as written.
        time: String,
    },
}

fn hint(near: Option<&str>) -> String {
    match near {
        Some(name) => format!("; did you mean `{name}`?"),
        None => "; use a name of the IANA database such as `Europe/Berlin` or `UTC`".to_owned(),
    }
}
