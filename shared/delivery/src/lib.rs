//! Bringing a document to one recipient, once, with a receipt.
//!
//! | module | about |
//! |---|---|
//! | [`mail`] | a message to one address, over a relay |
//! | [`directory`] | a file in a directory of this machine |
//! | [`sftp`] | a file in a directory of a server, over the program `sftp` |
//! | [`https`] | requests to a server that the authorities of this machine vouch for |
//! | [`syslog`] | messages to a collector of logs, over TLS |
//! | [`template()`] | filling the places of a text |
//! | [`AddressList`] | who has which address |
//! | [`DeliveryError`] | what went wrong, and what it leaves behind |
//!
//! Nothing here tries again by itself: [`DeliveryError`] says whether somebody may. Everything blocks, has a limit of
//! time or size, and no date is taken from a clock.

mod address;
mod address_list;
pub mod directory;
mod error;
pub mod https;
pub mod mail;
pub mod sftp;
mod shown;
mod status;
pub mod syslog;
mod template;
mod tls;
mod wait;

pub use address::{Address, AddressError};
pub use address_list::{AddressList, AddressListError, Entry};
pub use error::{DeliveryError, Step};
pub use status::{Enhanced, Status};
pub use template::{TemplateError, template};

/// What became of a file that was brought to a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It was written now.
    Written,
    /// A file of this name with this content was there already: an earlier try has arrived.
    AlreadyThere,
}
