//! Printers: one of our own that can be told to fail in any way, and Debian's for a second opinion.
//!
//! | type | is | for |
//! |---|---|---|
//! | [`Paper`] | an IPP printer in threads of this process, over `ipp:` or `ipps:` | every fault, page by page |
//! | [`Simulator`] | Debian's `ippeveprinter`, with a bus and an Avahi of its own | that others understand us |
//! | [`Cups`] | a `cupsd` of its own with one queue | hold, release, and what a print server makes of it |

mod cups;
mod door;
mod http;
mod message;
mod paper;
mod press;
mod serve;
mod simulator;
mod tls;

pub use cups::Cups;
pub use message::{Group, Message, Value};
pub use paper::{AfterRestart, Afterwards, Count, Cut, Jobs, Paper, Setup, form_feeds_or_pdf};
pub use press::Printed;
pub use serve::operation;
pub use simulator::Simulator;

/// Where a program is that Debian keeps out of users' paths, if it is installed.
fn program(name: &str) -> Option<std::path::PathBuf> {
    let places = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"];
    places.iter().map(|place| std::path::Path::new(place).join(name)).find(|path| path.is_file())
}
