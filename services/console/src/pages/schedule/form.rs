//! A job as the fields of a form: what stands in them for a definition, and which definition they say.
//!
//! A form has room for what is usual. Whatever else a definition says is kept as it is.

use std::collections::BTreeMap;

use domain::calendar::Days;
use domain::job::{CatchUp, JobDefinition, Kind, Overlap, Problem};
use domain::time::{AtList, AtTime, CalendarRule, Every, HumanDuration, ScheduleSpec, check_zone};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::fields::{FIELDS, WHEN};

/// What stands in the fields, by their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Written(BTreeMap<&'static str, String>);

/// What is wrong, at the field where it is; at none where the form has no such field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) field: Option<&'static str>,
    pub(crate) says: String,
}

impl Wrong {
    /// The same as one text.
    pub(crate) fn text(self) -> String {
        match self.field {
            Some(field) => format!("{field}: {}", self.says),
            None => self.says,
        }
    }
}

/// A definition to begin with, of which nothing is said yet.
///
/// # Errors
/// Never: its defaults are those of every job.
pub(crate) fn blank() -> Result<JobDefinition, serde_json::Error> {
    serde_json::from_value(serde_json::json!({"name": ""}))
}

/// The word of a choice.
fn word(choice: &impl Serialize) -> String {
    let value = serde_json::to_value(choice).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

fn chosen<T: DeserializeOwned>(word: &str) -> Option<T> {
    serde_json::from_value(serde_json::Value::String(word.to_owned())).ok()
}

fn catch_up_of(rule: CatchUp) -> (String, String) {
    match rule {
        CatchUp::All { limit } => ("all".to_owned(), limit.to_string()),
        CatchUp::None | CatchUp::Last | CatchUp::Hold => (word(&rule), String::new()),
    }
}

fn overlap_of(rule: Overlap) -> (String, String) {
    match rule {
        Overlap::QueueAll { limit } => ("queue-all".to_owned(), limit.to_string()),
        Overlap::Skip | Overlap::QueueOne | Overlap::CancelRunning => (word(&rule), String::new()),
    }
}

fn schedule_of(spec: Option<&ScheduleSpec>) -> (&'static str, String) {
    match spec {
        None => ("on-request", String::new()),
        Some(ScheduleSpec::Cron(text)) => ("cron", text.clone()),
        Some(ScheduleSpec::Quartz(text)) => ("quartz", text.clone()),
        Some(ScheduleSpec::Every(every)) => ("every", every.to_string()),
        Some(ScheduleSpec::At(list)) => ("at", list.to_string()),
    }
}

fn named(days: &[Days]) -> impl Iterator<Item = &str> {
    days.iter().filter_map(|one| match one {
        Days::Calendar(name) => Some(name.as_str()),
        Days::Set(_) => None,
    })
}

/// Rules among them, which a list of names cannot say.
fn rules(days: &[Days]) -> impl Iterator<Item = &Days> {
    days.iter().filter(|one| matches!(one, Days::Set(_)))
}

/// The lines of a command, where lines can say it.
pub(crate) fn lines(definition: &JobDefinition) -> Option<String> {
    let command = &definition.command;
    let plain = |text: &String| !text.is_empty() && text.trim() == text && !text.contains('\n');
    match (&command.argv, &command.script) {
        _ if definition.kind != Kind::Command => None,
        (None, None) => Some(String::new()),
        (Some(argv), None) => argv.iter().all(plain).then(|| argv.join("\n")),
        (None | Some(_), Some(_)) => None,
    }
}

/// What is kept of a definition because the form has no room for it, in sentences.
pub(crate) fn kept(definition: &JobDefinition) -> Vec<String> {
    let mut found = Vec::new();
    if definition.kind != Kind::Command {
        found.push(format!("what it does, of the kind {}", definition.kind.word()));
    } else if lines(definition).is_none() {
        found.push("its command, which lines cannot say".to_owned());
    }
    let calendar = &definition.calendar;
    for (what, days) in [("only on", &calendar.only_on), ("not on", &calendar.not_on)] {
        found.extend(rules(days).map(|rule| format!("{what} {rule}")));
    }
    found
}

impl Written {
    /// What somebody has written.
    pub(crate) fn read<'t>(get: impl Fn(&str) -> Option<&'t str>) -> Self {
        let text = |name: &'static str| {
            let text = get(name)?.replace("\r\n", "\n").trim().to_owned();
            (!text.is_empty()).then_some((name, text))
        };
        Self(FIELDS.iter().filter_map(|field| text(field.name)).collect())
    }

    /// What a definition says.
    pub(crate) fn of(definition: &JobDefinition) -> Self {
        let (when, expression) = schedule_of(definition.schedule.as_ref());
        let (catch_up, catch_up_limit) = catch_up_of(definition.catch_up);
        let (overlap, overlap_limit) = overlap_of(definition.overlap);
        let calendar = &definition.calendar;
        let list = |days: &[Days]| named(days).collect::<Vec<_>>().join(", ");
        let cut_over = calendar.cut_over.map(|cut| cut.to_string());
        let all = [
            ("name", definition.name.clone()),
            ("description", definition.description.clone()),
            ("owner", definition.owner.clone()),
            ("when", when.to_owned()),
            ("expression", expression),
            ("zone", definition.zone.clone()),
            ("only-on", list(&calendar.only_on)),
            ("not-on", list(&calendar.not_on)),
            ("otherwise", word(&calendar.otherwise)),
            ("cut-over", cut_over.unwrap_or_default()),
            ("gap", word(&definition.dst.gap)),
            ("overlap-time", word(&definition.dst.overlap_time)),
            ("late-after", definition.late_after.to_string()),
            ("catch-up", catch_up),
            ("catch-up-limit", catch_up_limit),
            ("overlap", overlap),
            ("overlap-limit", overlap_limit),
            ("pool", definition.pool.clone()),
            ("argv", lines(definition).unwrap_or_default()),
        ];
        Self(all.into_iter().filter(|(_, text)| !text.is_empty()).collect())
    }

    /// What stands in a field.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// Every field in which something stands.
    pub(crate) fn filled(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(name, text)| (*name, text.as_str()))
    }

    /// The definition that it says on the ground of another, and everything that is wrong with it.
    pub(crate) fn definition(&self, base: &JobDefinition) -> (JobDefinition, Vec<Wrong>) {
        let mut made = Made { definition: base.clone(), wrong: Vec::new() };
        made.names(self, base);
        made.schedule(self);
        made.days(self, base);
        made.clock(self);
        made.limits(self);
        made.command(self, base);
        made.check();
        (made.definition, made.wrong)
    }
}

struct Made {
    definition: JobDefinition,
    wrong: Vec<Wrong>,
}

impl Made {
    /// What was read, or the field where it could not be.
    fn take<T>(
        &mut self,
        field: &'static str,
        read: Result<T, String>,
        put: impl FnOnce(&mut JobDefinition, T),
    ) {
        match read {
            Ok(value) => put(&mut self.definition, value),
            Err(says) => self.wrong.push(Wrong { field: Some(field), says }),
        }
    }

    fn names(&mut self, written: &Written, base: &JobDefinition) {
        let text = |name: &str| written.text(name).to_owned();
        let or = |name: &str, usual: &str| {
            let text = written.text(name);
            if text.is_empty() { usual.to_owned() } else { text.to_owned() }
        };
        let one = &mut self.definition;
        // A job that is there already keeps its name.
        one.name = if base.name.is_empty() { text("name") } else { base.name.clone() };
        (one.description, one.owner) = (text("description"), text("owner"));
        (one.zone, one.pool) = (or("zone", "UTC"), or("pool", "default"));
    }

    fn schedule(&mut self, written: &Written) {
        let spec = spec(written.text("when"), written.text("expression"));
        self.take("expression", spec, |one, spec| one.schedule = spec);
    }

    fn days(&mut self, written: &Written, base: &JobDefinition) {
        let list = |name: &str, known: &[Days]| {
            let names = written.text(name).split([',', ' ', '\n']).filter(|name| !name.is_empty());
            names.map(Days::named).chain(rules(known).cloned()).collect()
        };
        let known = &base.calendar;
        self.definition.calendar = CalendarRule {
            only_on: list("only-on", &known.only_on),
            not_on: list("not-on", &known.not_on),
            ..known.clone()
        };
        let otherwise = choice(written, "otherwise");
        self.take("otherwise", otherwise, |one, word| one.calendar.otherwise = word);
        let cut_over = Some(written.text("cut-over")).filter(|text| !text.is_empty());
        let cut_over = cut_over.map(str::parse).transpose();
        self.take("cut-over", cut_over, |one, cut| one.calendar.cut_over = cut);
    }

    fn clock(&mut self, written: &Written) {
        self.take("gap", choice(written, "gap"), |one, gap| one.dst.gap = gap);
        let twice = choice(written, "overlap-time");
        self.take("overlap-time", twice, |one, twice| one.dst.overlap_time = twice);
    }

    fn limits(&mut self, written: &Written) {
        let late = written.text("late-after");
        let late = if late.is_empty() { "1m" } else { late }.parse::<HumanDuration>();
        let late = late.map_err(|error| error.to_string());
        self.take("late-after", late, |one, late| one.late_after = late);
        let (field, rule) = match written.text("catch-up") {
            "all" => {
                let limit = limit(written, "catch-up-limit");
                ("catch-up-limit", limit.map(|limit| CatchUp::All { limit }))
            }
            _ => ("catch-up", choice(written, "catch-up")),
        };
        self.take(field, rule, |one, rule| one.catch_up = rule);
        let (field, rule) = match written.text("overlap") {
            "queue-all" => {
                let limit = limit(written, "overlap-limit");
                ("overlap-limit", limit.map(|limit| Overlap::QueueAll { limit }))
            }
            _ => ("overlap", choice(written, "overlap")),
        };
        self.take(field, rule, |one, rule| one.overlap = rule);
    }

    fn command(&mut self, written: &Written, base: &JobDefinition) {
        if lines(base).is_none() {
            return;
        }
        let argv = written.text("argv").lines().map(str::trim).filter(|line| !line.is_empty());
        self.definition.command.argv = Some(argv.map(str::to_owned).collect());
    }

    /// What the definition says of itself, where nothing is said of that field yet.
    fn check(&mut self) {
        let mut checked = self.definition.clone();
        if let Err(error) = check_zone(&checked.zone) {
            self.wrong.push(Wrong { field: Some("zone"), says: error.to_string() });
            // An expression can be wrong in any zone.
            checked.zone = "UTC".to_owned();
        }
        let known: Vec<&str> = self.wrong.iter().filter_map(|one| one.field).collect();
        let is_new = |one: &Wrong| one.field.is_none_or(|field| !known.contains(&field));
        let told = checked.problems().into_iter().map(placed);
        let new: Vec<Wrong> = told.filter(is_new).collect();
        self.wrong.extend(new);
    }
}

/// A problem at the field of the form where it can be mended.
fn placed(problem: Problem) -> Wrong {
    let field = match problem.field.as_str() {
        "name" => Some("name"),
        "pool" => Some("pool"),
        "description" => Some("description"),
        "schedule" => Some("expression"),
        "calendar" => Some("only-on"),
        "calendar.otherwise" => Some("otherwise"),
        "catch-up.all.limit" => Some("catch-up-limit"),
        "overlap.queue-all.limit" => Some("overlap-limit"),
        "command" | "command.argv" => Some("argv"),
        _ => None,
    };
    let says = if field.is_some() { problem.message } else { problem.to_string() };
    Wrong { field, says }
}

fn choice<T: DeserializeOwned + Default>(written: &Written, field: &str) -> Result<T, String> {
    match written.text(field) {
        "" => Ok(T::default()),
        word => chosen(word).ok_or_else(|| format!("there is no {word:?} here")),
    }
}

fn limit(written: &Written, field: &str) -> Result<u32, String> {
    written.text(field).parse().map_err(|_| "a number from 1 to 1000".to_owned())
}

/// The schedule that an expression of a dialect says; `None` where the job runs on request only.
fn spec(when: &str, text: &str) -> Result<Option<ScheduleSpec>, String> {
    if when == "on-request" {
        return if text.is_empty() {
            Ok(None)
        } else {
            Err("what runs on request has no times: leave it empty".to_owned())
        };
    }
    if text.is_empty() {
        return Err("say when it runs, or choose on-request".to_owned());
    }
    let spec = match when {
        "cron" | "" => ScheduleSpec::Cron(text.to_owned()),
        "quartz" => ScheduleSpec::Quartz(text.to_owned()),
        "every" => ScheduleSpec::Every(every(text)?),
        "at" => {
            let times = text.split([',', '\n']).filter(|time| !time.trim().is_empty());
            ScheduleSpec::At(AtList(times.map(str::parse::<AtTime>).collect::<Result<_, _>>()?))
        }
        other => return Err(format!("{other:?} is none of {}", WHEN.join(", "))),
    };
    Ok(Some(spec))
}

fn every(text: &str) -> Result<Every, String> {
    let (interval, from) = match text.split_once(" from ") {
        Some((interval, from)) => (interval, Some(from.trim())),
        None => (text, None),
    };
    let interval = interval.trim().parse().map_err(|error| format!("{error}"))?;
    let bad = |_| "write 90s, or 90s from 2026-12-01T00:00:00Z".to_owned();
    Ok(Every { interval, from: from.map(str::parse).transpose().map_err(bad)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn job(fields: &Value) -> JobDefinition {
        let mut all = json!({"name": "pay", "schedule": {"cron": "30 2 * * *"}, "command": {"argv": ["/bin/true"]}});
        all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        serde_json::from_value(all).unwrap()
    }

    fn written(fields: &[(&'static str, &str)]) -> Written {
        let usual = [("name", "pay"), ("expression", "30 2 * * *"), ("argv", "/bin/true")];
        let fields: BTreeMap<&str, &str> = usual.iter().chain(fields).copied().collect();
        Written::read(|name| fields.get(name).copied())
    }

    type Fields = &'static [(&'static str, &'static str)];

    /// What of a job a form says, in the place of the usual.
    const SAID: [(Fields, &str); 17] = [
        (&[], "{}"),
        (&[("when", "cron"), ("expression", "@daily")], r#"{"schedule": {"cron": "@daily"}}"#),
        (
            &[("when", "quartz"), ("expression", "0 30 2 * * ?")],
            r#"{"schedule": {"quartz": "0 30 2 * * ?"}}"#,
        ),
        (&[("when", "every"), ("expression", "90s")], r#"{"schedule": {"every": "90s"}}"#),
        (
            &[("when", "every"), ("expression", "90s from 2026-12-01T00:00:00Z")],
            r#"{"schedule": {"every": {"interval": "90s", "from": "2026-12-01T00:00:00Z"}}}"#,
        ),
        (
            &[("when", "at"), ("expression", "2026-12-01T02:30, 2026-12-02T02:30")],
            r#"{"schedule": {"at": ["2026-12-01T02:30", "2026-12-02T02:30"]}}"#,
        ),
        (&[("when", "on-request"), ("expression", "")], r#"{"schedule": null}"#),
        (&[("zone", "Europe/Paris")], r#"{"zone": "Europe/Paris"}"#),
        (
            &[
                ("only-on", "weekdays"),
                ("not-on", "holidays, closed"),
                ("otherwise", "previous"),
                ("cut-over", "06:00"),
            ],
            r#"{"calendar": {"only-on": ["weekdays"], "not-on": ["holidays", "closed"], "otherwise": "previous", "cut-over": "06:00"}}"#,
        ),
        (
            &[("gap", "end"), ("overlap-time", "both")],
            r#"{"dst": {"gap": "end", "overlap-time": "both"}}"#,
        ),
        (&[("late-after", "5m")], r#"{"late-after": "5m"}"#),
        (&[("catch-up", "none")], r#"{"catch-up": "none"}"#),
        (&[("catch-up", "all"), ("catch-up-limit", "3")], r#"{"catch-up": {"all": {"limit": 3}}}"#),
        (&[("overlap", "cancel-running")], r#"{"overlap": "cancel-running"}"#),
        (
            &[("overlap", "queue-all"), ("overlap-limit", "3")],
            r#"{"overlap": {"queue-all": {"limit": 3}}}"#,
        ),
        (
            &[("pool", "big"), ("owner", "ana"), ("description", "Pays")],
            r#"{"pool": "big", "owner": "ana", "description": "Pays"}"#,
        ),
        (
            &[("argv", "/bin/echo\r\ntwo words\r\n")],
            r#"{"command": {"argv": ["/bin/echo", "two words"]}}"#,
        ),
    ];

    #[test]
    fn a_form_says_what_a_file_says_and_reads_back() {
        for (fields, says) in SAID {
            let wanted = job(&serde_json::from_str(says).unwrap());
            let (made, wrong) = written(fields).definition(&blank().unwrap());
            assert_eq!((&made, wrong), (&wanted, vec![]), "{fields:?}");
            let again = Written::of(&made).definition(&made);
            assert_eq!(again, (wanted, vec![]), "{fields:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_at_the_field_where_it_is() {
        let table: [(Fields, &str, &str); 16] = [
            (&[("name", "Pay Day")], "name", "is not a name"),
            (&[("name", "")], "name", "is not a name"),
            (&[("expression", "")], "expression", "say when"),
            (&[("expression", "61 2 * * *")], "expression", "minute"),
            (&[("when", "never")], "expression", "none of"),
            (&[("when", "every"), ("expression", "often")], "expression", "is not a duration"),
            (&[("when", "every"), ("expression", "9s from noon")], "expression", "write 90s"),
            (&[("when", "at"), ("expression", "tomorrow")], "expression", "tomorrow"),
            (&[("when", "on-request")], "expression", "leave it empty"),
            (&[("zone", "Europe/Pariss")], "zone", "Europe/Paris"),
            (&[("cut-over", "6")], "cut-over", "time of day"),
            (&[("late-after", "5")], "late-after", "no unit"),
            (&[("catch-up", "all")], "catch-up-limit", "1 to 1000"),
            (&[("overlap", "queue-all"), ("overlap-limit", "0")], "overlap-limit", "1 to 1000"),
            (&[("gap", "jump")], "gap", "jump"),
            (&[("argv", "")], "argv", "the program"),
        ];
        for (fields, field, says) in table {
            let (_, wrong) = written(fields).definition(&blank().unwrap());
            let [one] = wrong.as_slice() else { panic!("{fields:?}: {wrong:?}") };
            assert_eq!(one.field, Some(field), "{fields:?}: {wrong:?}");
            assert!(one.says.contains(says), "{fields:?}: {wrong:?}");
        }
    }

    #[test]
    fn what_a_form_has_no_room_for_is_kept() {
        let rule = json!({"weekdays": ["saturday"]});
        let base = job(&json!({
            "command": {"script": "echo paid"}, "timeout": "5m",
            "calendar": {"not-on": ["holidays", rule], "working-days": "weekdays"},
        }));
        assert_eq!(kept(&base).len(), 2, "{:?}", kept(&base));
        let (made, wrong) = written(&[("not-on", "closed"), ("name", "other")]).definition(&base);
        assert_eq!(wrong, []);
        let mut wanted = base;
        wanted.calendar.not_on = serde_json::from_value(json!(["closed", rule])).unwrap();
        assert_eq!(made, wanted);
        for (fields, keeps) in [
            (json!({}), 0),
            (json!({"command": {"argv": ["a", ""]}}), 1),
            (json!({"command": {"argv": ["a\nb"]}}), 1),
            (
                json!({"kind": "backup", "command": {}, "backup": {"dataset": "a", "repository": "b", "paths": ["/c"]}}),
                1,
            ),
        ] {
            assert_eq!(kept(&job(&fields)).len(), keeps, "{fields}");
        }
    }

    #[test]
    fn what_is_wrong_elsewhere_is_told_without_a_field() {
        let base = job(&json!({"timeout": "1ms"}));
        let (_, wrong) = Written::of(&base).definition(&base);
        assert_eq!(wrong, [Wrong { field: None, says: "timeout: at least 100ms".to_owned() }]);
    }
}
