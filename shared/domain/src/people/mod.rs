//! People and programs that act: accounts, what they may do, and the one decision that everything asks.
//!
//! | module | about |
//! |---|---|
//! | `grant` | a role, and of what it is one |
//! | `access` | the table: which roles may do what; [`decide`] |
//! | `account` | an account, as its events tell it |
//! | `directory` | a directory elsewhere that says who people are |
//! | `admit` | what the recorder accepts about accounts, and from whom |

mod access;
mod account;
mod admit;
mod directory;
mod grant;

pub(crate) use access::pools_of;
pub use access::{Action, Denial, Subject, action_of, decide, pool_asked};
pub use account::{IDLE_MS, Session, Token, User};
pub use admit::{CODE_MS_MAX, GRANTS_MAX, SESSION_MS_MAX, TOKEN_MS_MAX, TOKENS_MAX};
pub(crate) use admit::{Context, admit, check_actor};
pub use directory::{Directory, Identity};
pub use grant::{BadGrant, Grant, Scope};

/// A code that somebody was given as it is compared: without what people put between, and in lower case.
pub fn plain_code(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}
