//! Repositories, as people write them: where snapshots live.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::job::Problem;
use crate::job::secrets::SecretRef;

/// The word that makes a document a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RepositoryKind {
    /// A repository.
    #[default]
    Repository,
}

/// Which engine writes it. Both write the same format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EngineName {
    /// The one that is built in.
    #[default]
    Rustic,
    /// The restic that is installed on the host, 0.17 or newer.
    Restic,
}

impl EngineName {
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Rustic => "rustic",
            Self::Restic => "restic",
        }
    }
}

/// A repository, as written in a YAML document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RepositoryDefinition {
    /// Always `repository`.
    pub kind: RepositoryKind,
    /// Its name: `[a-z0-9][a-z0-9._-]{0,62}`.
    pub name: String,
    /// What it is for, in a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Whom to ask about it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub owner: String,
    /// Where it is, as restic writes it: `/srv/vault`, `sftp:user@host:/path`, `s3:https://host/bucket/prefix`,
    /// `rest:https://host/path`. Never with a password in it.
    pub location: String,
    /// Where its password is: `file:`, `env:`, `credential:` or `exec:`, as for a job's secrets.
    pub password: String,
    /// The region of an S3 bucket, where its store has regions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Environment variables with the keys of its storage (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`,
    /// `AWS_SESSION_TOKEN`; `RESTIC_REST_USERNAME`, `RESTIC_REST_PASSWORD`), and where each is.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, String>,
    /// Which engine writes it.
    #[serde(default)]
    pub engine: EngineName,
    /// Whether the first backup makes it, where there is none. Otherwise a wrong location is an error, as it should be.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub initialise: bool,
    /// Whether the other engine, where the host has it, checks each backup too, as evidence of its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub second_opinion: bool,
    /// How many backups may write at once.
    #[serde(default = "sixteen", skip_serializing_if = "is_sixteen")]
    pub writers: u32,
}

/// The keys of storages there are, by the names engines read. Other variables could lead an engine to another server.
pub const STORAGE_KEYS: [&str; 6] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_DEFAULT_REGION",
    "RESTIC_REST_USERNAME",
    "RESTIC_REST_PASSWORD",
];

/// Most writers.
const WRITERS_MAX: u32 = 1_000;

impl RepositoryDefinition {
    /// Everything that is wrong with it.
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut add = |field: &str, message: String| {
            found.push(Problem { field: field.to_owned(), message });
        };
        if let Err(message) = check_location(&self.location) {
            add("location", message);
        }
        if let Err(message) = self.password.parse::<SecretRef>() {
            add("password", message);
        }
        for (name, reference) in &self.secrets {
            if !STORAGE_KEYS.contains(&name.as_str()) {
                let known = STORAGE_KEYS.join(", ");
                add("secrets", format!("{name:?} is no key of a storage; there are {known}"));
            }
            if let Err(message) = reference.parse::<SecretRef>() {
                add("secrets", format!("{name}: {message}"));
            }
        }
        let is_region = |name: &String| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        if let Some(region) = self.region.as_ref().filter(|region| !is_region(region)) {
            add("region", format!("{region:?} is not a region such as eu-central-1"));
        }
        if self.region.is_some() && !self.location.starts_with("s3:") {
            add("region", "only s3: locations have one".to_owned());
        }
        if !(1..=WRITERS_MAX).contains(&self.writers) {
            add("writers", format!("1 to {WRITERS_MAX}"));
        }
        found
    }
}

fn check_location(location: &str) -> Result<(), String> {
    if location.contains(['\0', '\n']) {
        return Err("it is one line".to_owned());
    }
    if location.starts_with('/') {
        return Ok(());
    }
    let (scheme, rest) = location.split_once(':').unwrap_or_default();
    if !matches!(scheme, "sftp" | "s3" | "rest") || rest.is_empty() {
        return Err(
            "write an absolute path, sftp:user@host:/path, s3:https://host/bucket/prefix or rest:https://host/path"
                .to_owned(),
        );
    }
    if scheme == "sftp" && rest.trim_start_matches('/').starts_with('-') {
        return Err("a host's name does not begin with -".to_owned());
    }
    // user:password@host would be in every event that names it.
    let authority = rest.split("//").nth(1).unwrap_or_default();
    let authority = authority.split('/').next().unwrap_or_default();
    let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
    if user.contains(':') {
        return Err("no password belongs here: name it in `secrets`".to_owned());
    }
    Ok(())
}

fn sixteen() -> u32 {
    16
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_sixteen(n: &u32) -> bool {
    *n == 16
}
