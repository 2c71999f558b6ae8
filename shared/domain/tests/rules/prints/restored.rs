//! A log that was brought back from an older copy: what may be on paper is not printed, and sheets that may be gone are not given
//! away, until somebody has looked.

use domain::event::{FormUnloaded, FormWitnessed};
use domain::ids::StreamId;

use super::*;
use crate::continued::goes_on;

const PRINTED: &str =
    "it may have been printed: the log of that time was lost; hold it, and release it";
const GONE: &str = "sheets may have been printed: the log of that time was lost; take the stock out, and load what is there";

fn brought_back(office: &mut Office) {
    let event = goes_on(&office.world, true, 7);
    let now = office.now;
    let mark = office.world.say_next("audit/main", StreamId::continued(), event, now);
    valid(&mark);
    office.wait(1_000);
}

#[test]
fn a_document_is_printed_only_when_somebody_has_looked_whether_it_was() {
    let mut office = Office::new();
    office.spool("report");
    brought_back(&mut office);
    let submitted = office.submitted(&it());
    refuses(&office.host("h1", &it(), submitted), PRINTED);
    office.does("user/ana", held()).does("user/ana", released(false));
    office.print();
}

#[test]
fn of_numbered_stock_nothing_is_used_until_it_was_loaded_anew() {
    let mut office = Office::with_stock();
    brought_back(&mut office);
    office.spool("checks");
    let allocated = office.allocated(&it());
    refuses(&office.host("h1", &form_id(CHECKS), allocated), GONE);
    let batch = office.form(CHECKS).batches.last().unwrap().number;
    valid(&office.by("user/cyd", &form_id(CHECKS), FormUnloaded { batch, reason: why() }));
    valid(&office.load("user/cyd", 121, 200));
    let batch = office.form(CHECKS).batches.last().unwrap().number;
    let seen = FormWitnessed { batch, first: 121, last: 200 };
    valid(&office.by("user/dan", &form_id(CHECKS), seen));
    assert_eq!(office.allocated(&it()).first, 121);
    office.print();
}
