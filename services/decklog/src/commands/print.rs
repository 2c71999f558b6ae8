//! `decklog print …`: documents, queues, numbered stock.

mod documents;
mod forms;
mod queues;

pub(super) use documents::{find as find_documents, short as short_of};
use serde_json::{Value, json};

use super::with_console;
use crate::cli::{Format, Place, Print};
use crate::output;

pub(crate) fn run(wanted: &Print, format: Format) -> anyhow::Result<()> {
    match wanted {
        Print::List(wanted) => documents::list(wanted, format),
        Print::Show(which) => documents::show(which, format),
        Print::Hold(act) => documents::each(act, &json!({"act": "hold"}), format),
        Print::Release(act) => documents::release(act, format),
        Print::Cancel(act) => documents::each(act, &json!({"act": "cancel"}), format),
        Print::Move(act) => documents::shift(act, format),
        Print::Change(act) => documents::change(act, format),
        Print::Reprint(act) => documents::reprint(act, format),
        Print::ApproveReprint(act) => {
            documents::each(act, &json!({"act": "approve-reprint"}), format)
        }
        Print::DeclineReprint(act) => {
            documents::each(act, &json!({"act": "decline-reprint"}), format)
        }
        Print::Resolve(act) => documents::resolve(act, format),
        Print::RetryDelivery(act) => documents::retry(act, format),
        Print::Read(act) => documents::read(act),
        Print::Facts(act) => documents::facts(act, format),
        Print::Queues(wanted) => queues::list(wanted, format),
        Print::HoldQueue(act) => queues::act(act, "hold", format),
        Print::ReleaseQueue(act) => queues::act(act, "release", format),
        Print::Forms(wanted) => forms::run(wanted, format),
        Print::Reconcile(wanted) => queues::reconcile(wanted, format),
    }
}

/// Says something at the console, and prints what came of it.
fn act(place: &Place, path: &str, act: &Value, reason: &str, format: Format) -> anyhow::Result<()> {
    let body = json!({"act": act, "reason": reason});
    let applied = with_console(place, |client| client.act(path, &body))?;
    output::one(format, &applied, |a| format!("{}: {}\n", a.stream, a.message))
}

/// Whether a file is not there yet; asked before a content is, of which the log hears.
fn must_be_new(path: &std::path::Path) -> anyhow::Result<()> {
    if path.exists() {
        return Err(crate::exit::usage(format!("{} exists already", path.display())));
    }
    Ok(())
}

/// Writes a file that is not there yet.
pub(super) fn write_new(path: &std::path::Path, bytes: &[u8]) -> anyhow::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let written = made.and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.map_err(|error| crate::exit::usage(format!("writing {}: {error}", path.display())))
}
