//! The fields of the form: how each is called, what may stand in it, and what it means.

/// What may stand in a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    /// A line.
    Line,
    /// A number.
    Number,
    /// Several lines.
    Lines,
    /// One of these words.
    Choice(&'static [&'static str]),
}

/// A field.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) group: &'static str,
    pub(crate) label: &'static str,
    pub(crate) of: Of,
    pub(crate) hint: &'static str,
}

const fn field(
    group: &'static str,
    name: &'static str,
    label: &'static str,
    of: Of,
    hint: &'static str,
) -> Field {
    Field { name, group, label, of, hint }
}

const JOB: &str = "The job";
const TIMES: &str = "When it runs";
const DAYS: &str = "On which days";
const CLOCK: &str = "When the clock changes";
const LATE: &str = "When it is late, or finds itself running";

/// The dialects of an expression.
pub(crate) const WHEN: [&str; 5] = ["cron", "quartz", "every", "at", "on-request"];

/// All fields, in the order in which people read them.
pub(crate) const FIELDS: [Field; 19] = [
    field(JOB, "name", "Name", Of::Line, "a-z, 0-9, '.', '_' and '-'"),
    field(JOB, "description", "What it is for", Of::Line, ""),
    field(JOB, "owner", "Whom to ask about it", Of::Line, ""),
    field(JOB, "pool", "Pool of hosts", Of::Line, "default where it is empty"),
    field(
        JOB,
        "argv",
        "Command",
        Of::Lines,
        "the program, then each argument on a line of its own",
    ),
    field(
        TIMES,
        "when",
        "Kind of expression",
        Of::Choice(&WHEN),
        "on-request: only when somebody asks",
    ),
    field(
        TIMES,
        "expression",
        "Expression",
        Of::Line,
        "cron: 30 2 * * *; quartz: 0 30 2 * * ?; every: 90s; at: 2026-12-01T02:30, several with commas",
    ),
    field(TIMES, "zone", "Zone", Of::Line, "Europe/Berlin; UTC where it is empty"),
    field(DAYS, "only-on", "Only on", Of::Line, "names of calendars, such as weekdays"),
    field(DAYS, "not-on", "Not on", Of::Line, "names of calendars"),
    field(
        DAYS,
        "otherwise",
        "On another day",
        Of::Choice(&["skip", "run", "previous", "next"]),
        "previous and next: the working day before or after",
    ),
    field(
        DAYS,
        "cut-over",
        "The business day begins at",
        Of::Line,
        "06:00: earlier times belong to the day before",
    ),
    field(
        CLOCK,
        "gap",
        "A time that is jumped over",
        Of::Choice(&["shift", "end", "skip"]),
        "shift: with the offset before; end: after the gap; skip: not that day",
    ),
    field(
        CLOCK,
        "overlap-time",
        "A time that is there twice",
        Of::Choice(&["first", "second", "both"]),
        "",
    ),
    field(LATE, "late-after", "Late after", Of::Line, "1m where it is empty"),
    field(
        LATE,
        "catch-up",
        "What was not started in time",
        Of::Choice(&["last", "none", "all", "hold"]),
        "last: the newest runs; all: as many as the limit; hold: the newest waits for a person",
    ),
    field(LATE, "catch-up-limit", "Most that are caught up", Of::Number, "with all"),
    field(
        LATE,
        "overlap",
        "While an earlier run goes on",
        Of::Choice(&["skip", "queue-one", "queue-all", "cancel-running"]),
        "queue-all: as many as the limit",
    ),
    field(LATE, "overlap-limit", "Most that wait", Of::Number, "with queue-all"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_has_one_name_and_groups_are_not_torn() {
        let mut names: Vec<&str> = FIELDS.iter().map(|field| field.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), FIELDS.len());
        let mut groups: Vec<&str> = FIELDS.iter().map(|field| field.group).collect();
        groups.dedup();
        assert_eq!(groups, [JOB, TIMES, DAYS, CLOCK, LATE]);
    }
}
