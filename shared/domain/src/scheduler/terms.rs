//! What a run waits for, where it may go, and what it is given, as its definition says it for one instant.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::event::{Deadlines, StartWindow, Terms};
use crate::job::{After, JobDefinition, Tokens, WhichRun, parameters};

/// Of what kind a run is: which of its definition's conditions apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// A schedule implies it: all apply.
    Occurrence,
    /// Somebody asked for it: it waits for nothing that only makes sense with a schedule.
    Request,
    /// Somebody asked for its whole flow: it waits for the others.
    Flow,
}

/// The instant and day a run stands for.
#[derive(Debug, Clone, Copy)]
pub(super) struct When {
    pub(super) at: Timestamp,
    pub(super) business_day: Date,
    /// The instant to which somebody moved it: its time limits count from there, and its window, which is about its
    /// usual time, does not bind it.
    pub(super) moved: Option<Timestamp>,
}

/// The terms of a run of `definition`, called `run`.
///
/// # Errors
/// A parameter has no value that can be used; in a sentence.
pub(super) fn terms(
    definition: &JobDefinition,
    sort: Sort,
    when: When,
    run: &str,
    given: &BTreeMap<String, String>,
) -> Result<Terms, String> {
    let zone = TimeZone::get(&definition.zone).unwrap_or(TimeZone::UTC);
    let scheduled = sort == Sort::Occurrence;
    let by =
        |by: Option<crate::job::By>| by.map(|by| by.instant(when.moved.unwrap_or(when.at), &zone));
    let bound = scheduled && when.moved.is_none();
    let window = definition.window.filter(|_| bound).and_then(|window| {
        let (from, until) = window.for_instant(when.at, &zone)?;
        Some(StartWindow { from, until, at_end: window.at_end })
    });
    let deadlines = Deadlines {
        start_by: by(definition.sla.start_by),
        finish_by: by(definition.sla.finish_by),
    };
    Ok(Terms {
        business_day: Some(when.business_day),
        window,
        after: after(definition, sort),
        confirm: definition.confirm.clone().filter(|_| sort != Sort::Request),
        latest_by: by(definition.latest_by.filter(|_| sort != Sort::Request)),
        locks: definition.claims(),
        select: definition.select.clone(),
        hosts: definition.hosts,
        prefer: definition.prefer,
        parameters: values(definition, when, run, given, &zone)?,
        deadlines: if scheduled { deadlines } else { Deadlines::default() },
    })
}

/// Who asks for a whole flow asks for its jobs in their order; what other flows do that day is not waited for.
fn after(definition: &JobDefinition, sort: Sort) -> Vec<After> {
    let wanted = |after: &&After| match sort {
        Sort::Occurrence => true,
        Sort::Request => false,
        Sort::Flow => after.run == WhichRun::SameOccurrence,
    };
    definition.after.iter().filter(wanted).cloned().collect()
}

fn values(
    definition: &JobDefinition,
    when: When,
    run: &str,
    given: &BTreeMap<String, String>,
    zone: &TimeZone,
) -> Result<BTreeMap<String, String>, String> {
    let tokens = Tokens {
        parameters: &BTreeMap::new(),
        business_date: when.business_day,
        occurrence: when.at.to_zoned(zone.clone()).to_string(),
        job: &definition.name,
        run,
        attempt: 1,
    };
    parameters::resolve(&definition.parameters, given, &tokens)
}
