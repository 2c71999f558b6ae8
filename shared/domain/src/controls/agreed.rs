//! By which measures controls are tested: those that were proposed and approved in the log, and held at the end of the period that
//! is looked at; the usual ones where none did. Whoever tests by others is told from who tests by these.

use jiff::Timestamp;
use serde::Serialize;

use super::{Closing, ControlSettings, Item, Outcome, Period};
use crate::envelope::Envelope;
use crate::event::{Event, ThingAct, ThingEvent};
use crate::ids::StreamId;
use crate::site::{SITE_MEASURES, Thing, ThingKind};

/// The control that is about this.
pub(super) const OWN: &str = "CM-05";

/// The stream of a site's measures.
#[must_use]
pub fn measures_stream() -> StreamId {
    StreamId::thing(ThingKind::Measures, SITE_MEASURES)
}

/// Measures that were approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AgreedVersion {
    /// Number of the definition.
    pub number: u32,
    /// Since when they hold: when the recorder received the approval.
    pub since: Timestamp,
    /// Position of the approval.
    pub position: u64,
    /// Who proposed them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Who approved them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
    /// Until when they held; absent while they do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    #[serde(skip)]
    settings: ControlSettings,
}

/// What held at the end of a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreed {
    /// The measures.
    pub settings: ControlSettings,
    /// Which they are; absent where the log had approved none by then, and they are the usual ones.
    pub version: Option<AgreedVersion>,
}

impl Agreed {
    /// What is to be said of whoever tests by these measures.
    #[must_use]
    pub fn says_of(&self, used: &ControlSettings) -> String {
        let unlike = used.unlike(&self.settings).join(", ");
        match (&self.version, unlike.is_empty()) {
            (Some(version), true) => format!("those approved in the log: {version}"),
            (Some(version), false) => {
                format!("OTHERS than those approved in the log ({version}): {unlike}")
            }
            (None, true) => {
                "the usual ones: the log had approved none by the end of the period".to_owned()
            }
            (None, false) => format!(
                "GIVEN by whoever tests, and approved by nobody in the log: {unlike}, as is usual"
            ),
        }
    }
}

impl std::fmt::Display for AgreedVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let by = self.approved_by.as_deref().unwrap_or("nobody who is named");
        let Self { number, since, position, .. } = self;
        write!(
            f,
            "definition {number} of measures/site, approved by {by} at {since}, position {position}"
        )
    }
}

/// Gathers which measures were approved while the events of a log pass by.
#[derive(Debug, Default)]
pub struct Agreements {
    proposed: Option<(u32, Option<String>, Option<ControlSettings>)>,
    /// Oldest first.
    approved: Vec<AgreedVersion>,
}

impl Agreements {
    /// Takes the next valid event, whatever it is about.
    pub fn observe(
        &mut self,
        envelope: &Envelope,
        event: &Event,
        (position, received): (u64, Timestamp),
    ) {
        let Event::ThingEvent(ThingEvent { of: ThingKind::Measures, act }) = event else { return };
        let actor = envelope.actor.clone();
        match act {
            ThingAct::Proposed(event) => {
                let settings = match Thing::read(ThingKind::Measures, &event.definition) {
                    Ok(Thing::Measures(measures)) => Some(measures.settings()),
                    _ => None,
                };
                self.proposed = Some((event.number, actor, settings));
            }
            ThingAct::Approved(_) => self.approve(actor, position, received),
            ThingAct::Retired(_) => self.end(received),
        }
    }

    fn approve(&mut self, approved_by: Option<String>, position: u64, since: Timestamp) {
        let Some((number, by, Some(settings))) = self.proposed.take() else { return };
        self.end(since);
        let version =
            AgreedVersion { number, since, position, by, approved_by, until: None, settings };
        self.approved.push(version);
    }

    fn end(&mut self, at: Timestamp) {
        if let Some(last) = self.approved.last_mut() {
            last.until.get_or_insert(at);
        }
    }

    /// What held at the end of a period, as far as events were taken.
    #[must_use]
    pub fn at_end_of(&self, period: Period) -> Agreed {
        let held = self.approved.iter().rev().find(|one| one.holds_at_end_of(period));
        let settings = held.map(|one| one.settings.clone()).unwrap_or_default();
        Agreed { settings, version: held.cloned() }
    }

    /// The control that is about this: every version that held in the period, and by which of them it was tested.
    pub(super) fn finish(&self, closing: Closing<'_>) -> Vec<Outcome> {
        let (period, id) = (closing.period, measures_stream());
        // A log in which nobody ever approved measures says nothing of them, as it did before there were any.
        if self.approved.is_empty() {
            return vec![Outcome::of(OWN, Vec::new())];
        }
        let agreed = self.at_end_of(period);
        let unlike = closing.settings.unlike(&agreed.settings);
        let wrong =
            (!unlike.is_empty()).then(|| format!("tested by others: {}", unlike.join(", ")));
        let tested = |item: Item| match &wrong {
            Some(wrong) => item.failing(Some(wrong.clone())),
            None => item,
        };
        let within = self.approved.iter().filter(|one| one.holds_within(period));
        let mut found: Vec<Item> = within
            .map(|one| {
                let item = Item::new(one.since, &id, one.position);
                if agreed.version.as_ref() == Some(one) {
                    return tested(Item { note: Some(format!("{one}")), ..item });
                }
                let until = one.until.map(|at| at.to_string()).unwrap_or_default();
                Item {
                    note: Some(format!("{one}; it held until {until}, and not to the end")),
                    ..item
                }
            })
            .collect();
        if agreed.version.is_none() {
            let note = "none held at the end of the period: the usual ones do".to_owned();
            let (at, subject) = (closing.begin, id.to_string());
            let (position, exception, disposed) = (None, None, None);
            let note = Some(note);
            found.push(tested(Item { at, subject, position, exception, note, disposed }));
        }
        vec![Outcome::of(OWN, found)]
    }
}

impl AgreedVersion {
    fn holds_at_end_of(&self, period: Period) -> bool {
        self.since < period.until && self.until.is_none_or(|until| until >= period.until)
    }

    fn holds_within(&self, period: Period) -> bool {
        self.since < period.until && self.until.is_none_or(|until| until > period.from)
    }
}
