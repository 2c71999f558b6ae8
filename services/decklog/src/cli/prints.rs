//! Prints: documents, queues, numbered stock.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Named, NamedAct, Place};

#[derive(Debug, Subcommand)]
pub(crate) enum Print {
    /// Lists documents, newest first: those that are not done, or all.
    List(ListDocuments),
    /// Shows one document: where it stands, what was said to printers, its numbers and deliveries.
    Show(OneDocument),
    /// Lets documents wait until somebody releases them.
    Hold(DocumentsAct),
    /// Lets documents go to the printer: held ones, and those that failed before anything was sent.
    Release(ReleaseDocuments),
    /// Cancels documents; those that are at the printer as far as it goes.
    Cancel(DocumentsAct),
    /// Moves a document to another queue.
    Move(MoveDocument),
    /// Changes how a document will be printed: priority, copies, pages, how long it is kept.
    Change(ChangeDocument),
    /// Prints a document once more, or some of its pages. Of a form, somebody else must approve, and the numbers it had
    /// must be void.
    Reprint(ReprintDocument),
    /// Approves a reprint that somebody else asked for.
    ApproveReprint(DocumentsAct),
    /// Declines a reprint, or takes it back.
    DeclineReprint(DocumentsAct),
    /// Says what became of a document of which nobody knows: how many impressions lie on paper.
    Resolve(ResolveDocument),
    /// Tries deliveries again that failed.
    RetryDelivery(RetryDelivery),
    /// Writes a document's content into a file. The log hears of it.
    Read(ReadDocument),
    /// Shows what a document's host knows of it: title, recipients, payees and amounts, code. The log hears of it.
    Facts(DocumentAct),
    /// Shows queues: whether they go on, what waits, what was printed, how long documents waited.
    Queues(Queues),
    /// Holds a queue: nothing more goes to its printer.
    HoldQueue(NamedAct),
    /// Lets a queue go on.
    ReleaseQueue(NamedAct),
    /// Numbered stock: checks, invoices.
    #[command(subcommand)]
    Forms(Forms),
    /// Shows everything that does not add up: pages, numbers, totals, reprints, deliveries.
    Reconcile(Reconcile),
}

#[derive(Debug, Args)]
pub(crate) struct ListDocuments {
    /// In this queue.
    #[arg(long)]
    pub(crate) queue: Option<String>,
    /// On this host.
    #[arg(long)]
    pub(crate) host: Option<String>,
    /// Of this run.
    #[arg(long)]
    pub(crate) run: Option<String>,
    /// On this form.
    #[arg(long)]
    pub(crate) form: Option<String>,
    /// In this state: ready, held, releasing, printing, stopped, printed, cancelled, failed, unknown, electronic.
    #[arg(long)]
    pub(crate) state: Option<String>,
    /// Spooled since: 2026-11-20, 24h.
    #[arg(long)]
    pub(crate) since: Option<String>,
    /// Also those that are done.
    #[arg(long)]
    pub(crate) all: bool,
    /// Most documents.
    #[arg(short = 'n', long, default_value_t = 100)]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct OneDocument {
    /// The first digits of its identity.
    pub(crate) document: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct DocumentAct {
    /// The first digits of its identity.
    pub(crate) document: String,
    /// Why.
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct DocumentsAct {
    /// The first digits of each one's identity.
    #[arg(required = true)]
    pub(crate) documents: Vec<String>,
    /// Why.
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct ReleaseDocuments {
    #[command(flatten)]
    pub(crate) act: DocumentsAct,
    /// The code that a document waits for.
    #[arg(long)]
    pub(crate) code: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct MoveDocument {
    /// The first digits of its identity.
    pub(crate) document: String,
    /// The queue it goes to.
    pub(crate) queue: String,
    /// Why.
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct ChangeDocument {
    /// The first digits of its identity.
    pub(crate) document: String,
    /// 1 to 100; the highest is printed first.
    #[arg(long)]
    pub(crate) priority: Option<u8>,
    /// How often.
    #[arg(long)]
    pub(crate) copies: Option<u16>,
    /// Which pages: 1-3,7,9-
    #[arg(long)]
    pub(crate) pages: Option<String>,
    /// How long its content is kept after printing: 30d.
    #[arg(long)]
    pub(crate) keep: Option<String>,
    /// Why.
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct ReprintDocument {
    /// The first digits of its identity.
    pub(crate) document: String,
    /// Which pages: 1-3,7,9-
    #[arg(long)]
    pub(crate) pages: Option<String>,
    /// Why.
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct ResolveDocument {
    /// The first digits of its identity.
    pub(crate) document: String,
    /// Impressions that lie on paper; 0 where nothing was printed.
    #[arg(long)]
    pub(crate) impressions: u32,
    /// What you saw.
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct RetryDelivery {
    /// The first digits of its identity.
    pub(crate) document: String,
    /// Only these deliveries, by number.
    #[arg(long = "delivery")]
    pub(crate) deliveries: Vec<u32>,
    /// Why.
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct ReadDocument {
    /// The first digits of its identity.
    pub(crate) document: String,
    /// The file; it must not exist.
    #[arg(long)]
    pub(crate) to: PathBuf,
    /// Why.
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Queues {
    /// What was printed since: 24h, 7d, 2026-11-20.
    #[arg(long, default_value = "24h")]
    pub(crate) since: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Reconcile {
    /// Documents spooled since: 24h, 7d, 2026-11-20.
    #[arg(long, default_value = "30d")]
    pub(crate) since: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Forms {
    /// Lists forms: stock, the next number, what is in doubt.
    List(Place),
    /// Shows a form: its stock, and what became of its numbers.
    Show(Named),
    /// The register: what became of each number; with payees and amounts where a reason is given, of which the log hears.
    Register(Register),
    /// Says that stock was loaded. Somebody else must witness it.
    Load(Numbers),
    /// Witnesses stock that somebody else loaded: the numbers you read on its first and last sheet.
    Witness(Numbers),
    /// Says that what is left of a stock was taken out.
    Unload(OneNumber),
    /// Makes sheets that were printed invalid.
    Void(Numbers),
    /// Says that sheets are waste.
    Spoil(Numbers),
    /// Says that sheets which a printing had lie blank in the tray: they are free again.
    Return(Numbers),
    /// Says that sheets went through a printing without their pages: those and all after them lie on later sheets.
    Slip(Numbers),
    /// Says that sheets were printed of which the printer said nothing.
    Printed(Numbers),
    /// Says which numbers you read on the first and last sheet of a document. Somebody else does than loaded the stock.
    Check(Check),
    /// Writes the file for the bank. The log hears of it.
    PositivePay(PositivePay),
}

#[derive(Debug, Args)]
pub(crate) struct Numbers {
    /// The form.
    pub(crate) form: String,
    /// The first number.
    pub(crate) first: u64,
    /// The last.
    pub(crate) last: u64,
    /// Why, or what there is to remember.
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct OneNumber {
    /// The form.
    pub(crate) form: String,
    /// A number of the stock.
    pub(crate) number: u64,
    /// Why.
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The form.
    pub(crate) form: String,
    /// The first digits of the document's identity.
    pub(crate) document: String,
    /// The number on the first sheet.
    pub(crate) first: u64,
    /// And on the last.
    pub(crate) last: u64,
    /// Anything to remember.
    #[arg(long, default_value = "read on the first and the last sheet")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Register {
    /// The form.
    pub(crate) form: String,
    /// The first number; that of its oldest stock when absent.
    #[arg(long)]
    pub(crate) first: Option<u64>,
    /// The last; that of its newest stock when absent.
    #[arg(long)]
    pub(crate) last: Option<u64>,
    /// As it stood at this instant, or at the end of this day.
    #[arg(long, conflicts_with = "reason")]
    pub(crate) on: Option<String>,
    /// With payees and amounts, and why you want them.
    #[arg(long)]
    pub(crate) reason: Option<String>,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct PositivePay {
    /// The form.
    pub(crate) form: String,
    /// The first number.
    #[arg(long)]
    pub(crate) first: u64,
    /// The last.
    #[arg(long)]
    pub(crate) last: u64,
    /// The account, as the bank knows it.
    #[arg(long, default_value = "")]
    pub(crate) account: String,
    /// The zone of its dates; this machine's when absent.
    #[arg(long)]
    pub(crate) zone: Option<String>,
    /// The file; it must not exist.
    #[arg(long)]
    pub(crate) to: PathBuf,
    /// Why.
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) place: Place,
}
