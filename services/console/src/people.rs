//! Who asks: accounts of the log, tokens and sessions; and whether they may.
//!
//! | module | about |
//! |---|---|
//! | `directory` | accounts, as the log has them now |
//! | `caller` | who asks, found out from a request; and whether they may |
//! | `cookie` | what a browser keeps of a session |
//! | `secret` | passwords, codes, tokens, and the key that only consoles have |
//! | `patience` | how often somebody may try to come in |
//! | `entry` | coming in and leaving |
//! | `provider` | the directory by which people come in: what is asked of it |
//! | `oidc` | coming in by it |
//! | `first` | the first account, and the token on this machine |

mod caller;
mod cookie;
mod directory;
mod entry;
mod first;
mod oidc;
mod patience;
mod provider;
#[cfg(test)]
mod provider_tests;
mod secret;

pub(crate) use caller::{Caller, Denials, Subscriber, Via, by_cookie, is_our_own};
pub(crate) use cookie::Form;
pub(crate) use directory::Directory;
pub(crate) use entry::{Gone, Identity, NewPassword};
pub(crate) use first::{let_in, prepare};
pub(crate) use oidc::Brought;
pub(crate) use patience::Patience;
pub use provider::OidcConfig;
pub(crate) use provider::Provider;
pub(crate) use secret::{Keys, new_code, new_token};
