//! A role, and of what it is one: `operator`, `author@folder/payroll`, `operator@pool/eu`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::event::Role;
use crate::ids::is_name;

/// What a role is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Everything.
    All,
    /// Jobs of a folder, and what their runs leave. The folder of a job is what stands before the first dot in its name.
    Folder(String),
    /// Jobs that run in a pool, and what their runs leave.
    Pool(String),
}

/// A role, and of what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Grant {
    /// The role.
    pub role: Role,
    /// Of what.
    pub scope: Scope,
}

/// A text that is no grant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no grant: write ROLE, ROLE@folder/NAME or ROLE@pool/NAME; roles are viewer, operator, author, approver, auditor and admin"
)]
pub struct BadGrant(String);

impl Grant {
    /// A role over everything.
    pub fn all(role: Role) -> Self {
        Self { role, scope: Scope::All }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("everything"),
            Self::Folder(name) => write!(f, "folder/{name}"),
            Self::Pool(name) => write!(f, "pool/{name}"),
        }
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = self.role.word();
        match &self.scope {
            Scope::All => f.write_str(role),
            Scope::Folder(_) | Scope::Pool(_) => write!(f, "{role}@{}", self.scope),
        }
    }
}

impl FromStr for Grant {
    type Err = BadGrant;

    fn from_str(text: &str) -> Result<Self, BadGrant> {
        let bad = || BadGrant(text.chars().take(80).collect());
        let (role, scope) = text.split_once('@').map_or((text, None), |(a, b)| (a, Some(b)));
        let role = Role::from_word(role).ok_or_else(bad)?;
        let scope = match scope.map(|scope| scope.split_once('/')) {
            None => Scope::All,
            Some(Some(("folder", name))) if is_name(name) && !name.contains('.') => {
                Scope::Folder(name.to_owned())
            }
            Some(Some(("pool", name))) if is_name(name) => Scope::Pool(name.to_owned()),
            Some(_) => return Err(bad()),
        };
        Ok(Self { role, scope })
    }
}

impl Serialize for Grant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Grant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
