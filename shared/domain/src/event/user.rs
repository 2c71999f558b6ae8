//! Bodies of `user.*`: accounts, what they may do, and how they come in.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::canonical::Digest;
use crate::ids::StreamId;
use crate::people::{Action, Grant, Identity};

/// What an account may do, in one word. What each word means is [`crate::people::Action::roles`].
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Runs, pauses, cancels, prints, signs the night.
    Operator,
    /// Says yes or no to what somebody else asks for.
    Approver,
    /// Reads everything, and changes nothing.
    Auditor,
    /// Sees how things stand.
    Viewer,
    /// Proposes definitions.
    Author,
    /// Keeps accounts and hosts.
    Admin,
}

impl Role {
    /// Every role, in the order people read them.
    pub const ALL: [Self; 6] =
        [Self::Viewer, Self::Operator, Self::Author, Self::Approver, Self::Auditor, Self::Admin];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Approver => "approver",
            Self::Auditor => "auditor",
            Self::Viewer => "viewer",
            Self::Author => "author",
            Self::Admin => "admin",
        }
    }

    /// The role of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.word() == word)
    }
}

/// `user.created` 1: an account, as long as there was one for everything. Today's are made by `user.provisioned`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserCreated {
    /// What the account may do.
    pub roles: Vec<Role>,
}

/// `user.token-issued` 1: a token that never ends, as the first account had one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserTokenIssued {
    /// SHA-256 of the token. The token itself is 256 random bits, so its hash gives nothing away.
    pub token: Digest,
}

/// `user.provisioned` 1: there is an account, for the first time or again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserProvisioned {
    /// What it may do, and of what.
    pub grants: Vec<Grant>,
    /// Whether a program has it. A program signs nothing and approves nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub program: bool,
    /// Why.
    pub reason: String,
}

/// `user.grants-set` 1: from now on it may do this, and nothing else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserGrantsSet {
    /// What it may do, and of what.
    pub grants: Vec<Grant>,
    /// Why.
    pub reason: String,
}

/// `user.removed` 1: it may do nothing any more, and its sessions and tokens are ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserRemoved {
    /// Why.
    pub reason: String,
}

/// `user.identity-set` 1: from now on it comes in by this identity of the site's directory, and by nothing else but its tokens;
/// or not any more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserIdentitySet {
    /// Who it is there; absent where it does not come in by the directory any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// Why.
    pub reason: String,
}

/// `user.directory-said` 1: somebody came from the directory, and this is who they are there. It makes an account where there is
/// none; what it may do from then on is what its groups may, by `log.directory-set`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserDirectorySaid {
    /// Who they are.
    pub identity: Identity,
    /// Those of their groups that mean something here, in order.
    pub groups: Vec<String>,
    /// What these may do here, in order.
    pub grants: Vec<Grant>,
}

/// `user.code-issued` 1: whoever is given this code comes in by it, once, and then sets a password. Without an actor it was
/// made by somebody at the console's own machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserCodeIssued {
    /// SHA-256 of the code, which is 99 random bits.
    pub code: Digest,
    /// When it ends.
    pub until: Timestamp,
}

/// `user.password-set` 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserPasswordSet {
    /// The argon2id hash in PHC's words, keyed with a secret that only consoles have: by itself it cannot be guessed at.
    pub verifier: String,
}

/// `user.token-created` 1: programs and scripts may come in by this token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserTokenCreated {
    /// Its name among the account's tokens.
    pub name: String,
    /// SHA-256 of the token, which is 256 random bits.
    pub token: Digest,
    /// What it may do at most, beside what the account may; empty for no other limit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<Grant>,
    /// When it ends.
    pub until: Timestamp,
}

/// `user.token-revoked` 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserTokenRevoked {
    /// Its name.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// `user.token-used` 1: somebody came in by a token on this day, for the first time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserTokenUsed {
    /// Its name.
    pub name: String,
    /// The day, UTC.
    pub day: Date,
}

/// How somebody came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entry {
    /// By a code that was given to them once.
    Code,
    /// By their password.
    Password,
    /// By the word of an identity provider (OpenID Connect).
    Oidc,
}

impl Entry {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Password => "password",
            Self::Oidc => "oidc",
        }
    }
}

/// `user.logged-in` 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserLoggedIn {
    /// The session's public name; whoever knows it cannot use it.
    pub session: String,
    /// How.
    pub by: Entry,
    /// When it ends at the latest.
    pub until: Timestamp,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogOut {
    /// They left.
    Left,
    /// Nothing was heard of them for too long.
    Idle,
    /// They, or an administrator, ended it from elsewhere.
    Revoked,
}

/// `user.logged-out` 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserLoggedOut {
    /// The session.
    pub session: String,
    /// Why.
    pub why: LogOut,
}

/// `user.login-failed` 1: somebody tried to come in and could not. Said of the first of a row, and of each tenth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserLoginFailed {
    /// How.
    pub by: Entry,
    /// How often since they came in last, as far as this console knows.
    pub times: u32,
}

/// `user.denied` 1: they wanted to do what they may not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserDenied {
    /// What.
    pub action: Action,
    /// Of what, where it is one thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<StreamId>,
    /// Why they may not.
    pub reason: String,
}

/// `user.filter-saved` 1: they keep a search of the events page under a name; without a query they do not any more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserFilterSaved {
    /// Its name among their searches.
    pub name: String,
    /// What stands behind the `?` of the page's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
}
