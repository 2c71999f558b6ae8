//! Bodies of `user.*`.

use serde::{Deserialize, Serialize};

use crate::canonical::Digest;

/// What an account may do. Its full table comes with the console's people; today every command needs
/// [`Role::Operator`] and a change of definition [`Role::Approver`].
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
    /// Runs, pauses, cancels.
    Operator,
    /// Says yes or no to a change.
    Approver,
    /// Looks.
    Auditor,
}

impl Role {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Approver => "approver",
            Self::Auditor => "auditor",
        }
    }
}

/// `user.created` 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserCreated {
    /// What the account may do.
    pub roles: Vec<Role>,
}

/// `user.token-issued` 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserTokenIssued {
    /// SHA-256 of the token. The token itself is 256 random bits, so its hash gives nothing away.
    pub token: Digest,
}
