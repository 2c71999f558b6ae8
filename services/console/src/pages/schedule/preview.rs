//! What a definition would do: when it runs next and why then, beside what, and how a file says it.

use std::collections::{BTreeMap, BTreeSet};

use domain::forecast::{Planned, SiteView, horizon, hour_of, load, of_definition};
use domain::job::{Job, JobDefinition, to_yaml, words};
use domain::time::Occurrence;
use jiff::Timestamp;

use crate::pages::answer::Page;
use crate::pages::reading;
use crate::pages::shell::Visitor;
use crate::state::Console;

/// How many occurrences are shown.
const AHEAD: usize = 10;

/// What somebody sees before they propose.
pub(crate) struct Preview {
    pub(crate) schedule: String,
    pub(crate) zone: String,
    pub(crate) says: Vec<(&'static str, String)>,
    pub(crate) ahead: Vec<Ahead>,
    pub(crate) yaml: String,
}

/// An occurrence, and what it comes to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ahead {
    pub(crate) local: String,
    pub(crate) utc: String,
    /// What the clock did, in a word; nothing where it did nothing.
    pub(crate) clock: &'static str,
    pub(crate) explains: String,
    pub(crate) fate: String,
    /// How many other starts there are in its hour, where it runs.
    pub(crate) load: Option<u64>,
}

type Found = Vec<(Occurrence, Planned)>;

/// When it would run next, with what else starts then.
fn seen(
    job: &Job,
    definition: &JobDefinition,
    now: Timestamp,
    (jobs, site): (&[Job], &SiteView),
) -> Result<(Found, BTreeMap<Timestamp, u64>), String> {
    let found = of_definition(job, definition, (now, horizon(now)), AHEAD, site)?;
    let runs = found.iter().filter(|(_, planned)| planned.skipped.is_none());
    let hours: BTreeSet<Timestamp> = runs.map(|(_, planned)| hour_of(planned.at)).collect();
    let others = |other: &JobDefinition| other.name != definition.name;
    let load = load(jobs, others, &hours, site);
    Ok((found, load))
}

fn ahead((occurrence, planned): &(Occurrence, Planned), load: &BTreeMap<Timestamp, u64>) -> Ahead {
    let usual = matches!(planned.reason, "exact" | "elapsed" | "left-out");
    let fate = match (&planned.skipped, &planned.note) {
        (Some(why), _) => format!("will not run: {why}"),
        (None, Some(note)) => note.clone(),
        (None, None) => "runs".to_owned(),
    };
    Ahead {
        local: occurrence.local.strftime("%a %Y-%m-%d %H:%M:%S %Z").to_string(),
        utc: occurrence.at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        clock: if usual { "" } else { planned.reason },
        explains: if usual { String::new() } else { occurrence.describe() },
        fate,
        load: planned.skipped.is_none().then(|| load.get(&hour_of(planned.at)).copied()).flatten(),
    }
}

/// What a definition would do, or why that cannot be told.
pub(crate) async fn preview(
    console: &Console,
    visitor: &Visitor,
    job: Option<&Job>,
    definition: &JobDefinition,
    site: SiteView,
) -> Result<Result<Preview, String>, Page> {
    let jobs = reading::all_jobs(console).await?;
    let job = job.cloned().unwrap_or_else(|| Job::new(&definition.name));
    let (own, now) = (definition.clone(), visitor.now);
    // Counting what else starts looks at all jobs: not on a thread that answers others.
    let look = move || {
        let schedule = own.schedule_at(domain::time::just_after(now), &site.calendars);
        let schedule = schedule.transpose().map_err(|error| error.to_string())?;
        let (found, load) = seen(&job, &own, now, (&jobs, &site))?;
        let ahead = found.iter().map(|one| ahead(one, &load)).collect();
        let yaml = to_yaml(&own)?;
        let zone = schedule.as_ref().map(|one| one.zone().to_owned()).unwrap_or_default();
        let schedule = schedule.map_or("On request.".to_owned(), |one| one.describe());
        Ok(Preview { schedule, zone, says: words(&own), ahead, yaml })
    };
    tokio::task::spawn_blocking(look).await.map_err(|error| crate::pages::broken(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn job(fields: &Value) -> JobDefinition {
        let mut all =
            json!({"name": "pay", "zone": "Europe/Berlin", "command": {"argv": ["/bin/true"]}});
        all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        serde_json::from_value(all).unwrap()
    }

    fn of(fields: &Value, now: &str) -> Vec<Ahead> {
        let (definition, site) = (job(fields), SiteView::default());
        let now = now.parse().unwrap();
        let found = seen(&Job::new("pay"), &definition, now, (&[], &site)).unwrap();
        found.0.iter().map(|one| ahead(one, &found.1)).collect()
    }

    #[test]
    fn ten_occurrences_are_shown_and_a_change_of_the_clock_is_explained() {
        let daily = json!({"schedule": {"cron": "30 2 * * *"}});
        let found = of(&daily, "2026-03-27T12:00:00Z");
        assert_eq!(found.len(), AHEAD);
        assert_eq!((found[0].clock, found[0].explains.as_str(), found[0].load), ("", "", Some(0)));
        let jumped = &found[1];
        assert_eq!((jumped.clock, jumped.utc.as_str()), ("gap-shifted", "2026-03-29 01:30:00"));
        assert_eq!(jumped.local, "Sun 2026-03-29 03:30:00 CEST");
        assert!(jumped.explains.contains("02:30 does not exist on 2026-03-29"), "{jumped:?}");
    }

    #[test]
    fn what_will_not_run_says_why_and_has_no_load() {
        let skips = json!({"schedule": {"cron": "30 2 * * *"}, "dst": {"gap": "skip"}});
        let found = of(&skips, "2026-03-28T12:00:00Z");
        assert!(found[0].fate.starts_with("will not run: 02:30 does not exist"), "{:?}", found[0]);
        assert_eq!(found[0].load, None);
        assert!(of(&json!({"schedule": null}), "2026-03-28T12:00:00Z").is_empty());
    }
}
