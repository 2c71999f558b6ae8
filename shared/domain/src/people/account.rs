//! An account, as its events tell it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::directory::Identity;
use super::grant::Grant;
use crate::canonical::Digest;
use crate::event::{Entry, LogOut, Role, UserEvent};

/// An account of which nothing was heard for so long may do nothing, until an administrator lets it in again: 90 days.
pub const IDLE_MS: i64 = 90 * 24 * 3_600 * 1_000;

/// How many sessions that ended, and tokens that were revoked, are remembered.
const ENDED_KEPT: usize = 20;

/// A person or program that may act.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct User {
    /// Its name.
    pub name: String,
    /// What it may do, and of what.
    pub grants: Vec<Grant>,
    /// Whether a program has it.
    #[serde(default)]
    pub program: bool,
    /// When it was provisioned, and by whom.
    #[serde(default)]
    pub provisioned: Option<(Timestamp, Option<String>)>,
    /// Why it was removed, and when.
    #[serde(default)]
    pub removed: Option<(String, Timestamp)>,
    /// Who it is in the site's directory, where it comes in by that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// Its groups there that mean something here, as they were when it came in last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// The keyed hash of its password.
    #[serde(default)]
    pub password: Option<String>,
    /// The hash of a code by which it comes in once, and when that ends.
    #[serde(default)]
    pub code: Option<(Digest, Timestamp)>,
    /// Its tokens.
    #[serde(default)]
    pub tokens: Vec<Token>,
    /// Its sessions, oldest first.
    #[serde(default)]
    pub sessions: Vec<Session>,
    /// Searches of the log that it keeps, by name: what stands behind the `?` of the page's address.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub filters: BTreeMap<String, String>,
    /// Failed attempts to come in since the last that did not fail, as far as they were said.
    #[serde(default)]
    pub failed: u32,
    /// When it was heard of last: when it was provisioned, given a code, or came in.
    #[serde(default)]
    pub seen: Option<Timestamp>,
}

/// A token of an account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Token {
    /// Its name.
    pub name: String,
    /// SHA-256 of it.
    pub hash: Digest,
    /// What it may do at most; empty for all that the account may.
    #[serde(default)]
    pub grants: Vec<Grant>,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends; `None` for one of the first kind, which does not.
    #[serde(default)]
    pub until: Option<Timestamp>,
    /// The day it was used last, UTC.
    #[serde(default)]
    pub used: Option<Date>,
    /// When it was revoked.
    #[serde(default)]
    pub revoked: Option<Timestamp>,
}

impl Token {
    /// Whether somebody may come in by it.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.revoked.is_none() && self.until.is_none_or(|until| now < until)
    }
}

/// A session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Its public name.
    pub name: String,
    /// How they came in.
    pub by: Entry,
    /// When.
    pub began: Timestamp,
    /// When it ends at the latest.
    pub until: Timestamp,
    /// When it ended, and why.
    #[serde(default)]
    pub ended: Option<(Timestamp, LogOut)>,
}

impl User {
    /// An account of this name that has no event yet.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// How the log names it.
    pub fn actor(&self) -> String {
        format!("user/{}", self.name)
    }

    /// Whether nothing was heard of it for too long. Programs are heard of by their tokens, which end by themselves.
    pub fn is_idle(&self, now: Timestamp) -> bool {
        let silent = |seen: Timestamp| now.as_millisecond() - seen.as_millisecond() > IDLE_MS;
        !self.program && self.seen.is_some_and(silent)
    }

    /// Whether it has a role, over whatever.
    pub fn has(&self, role: Role) -> bool {
        self.grants.iter().any(|grant| grant.role == role)
    }

    /// A session that goes on.
    pub fn session(&self, name: &str, now: Timestamp) -> Option<&Session> {
        let open = |one: &&Session| one.name == name && one.ended.is_none() && now < one.until;
        self.sessions.iter().find(open).filter(|_| self.removed.is_none())
    }

    /// The token with this hash, while somebody may come in by it.
    pub fn token(&self, hash: &Digest, now: Timestamp) -> Option<&Token> {
        let open = |one: &&Token| one.hash == *hash && one.is_open(now);
        self.tokens.iter().find(open).filter(|_| self.removed.is_none())
    }

    /// The state after one more event. Total: what is in the log has happened.
    #[must_use]
    pub fn evolve(mut self, event: &UserEvent, received: Timestamp, actor: Option<&str>) -> Self {
        let at = received;
        match event {
            UserEvent::UserCreated(e) => self.create(&e.roles),
            UserEvent::UserTokenIssued(e) => self.tokens.push(Token {
                name: format!("token-{}", self.tokens.len() + 1),
                hash: e.token,
                grants: Vec::new(),
                created: at,
                until: None,
                used: None,
                revoked: None,
            }),
            UserEvent::UserProvisioned(e) => {
                self.grants.clone_from(&e.grants);
                (self.program, self.removed, self.seen) = (e.program, None, Some(at));
                self.provisioned = Some((at, actor.map(str::to_owned)));
                if e.program {
                    self.leave_directory();
                }
            }
            UserEvent::UserGrantsSet(e) => self.grants.clone_from(&e.grants),
            UserEvent::UserRemoved(e) => self.remove(&e.reason, at),
            UserEvent::UserIdentitySet(e) => {
                self.identity.clone_from(&e.identity);
                self.groups.clear();
                self.seen = Some(at);
                self.end_ways_in(at);
            }
            UserEvent::UserDirectorySaid(e) => {
                self.identity = Some(e.identity.clone());
                self.groups.clone_from(&e.groups);
                self.grants.clone_from(&e.grants);
                if self.provisioned.is_none() {
                    (self.provisioned, self.seen) = (Some((at, None)), Some(at));
                }
            }
            UserEvent::UserCodeIssued(e) => {
                (self.code, self.seen) = (Some((e.code, e.until)), Some(at));
                if actor.is_none() {
                    self.leave_directory();
                }
            }
            UserEvent::UserPasswordSet(e) => {
                (self.password, self.code) = (Some(e.verifier.clone()), None);
            }
            UserEvent::UserTokenCreated(e) => self.tokens.push(Token {
                name: e.name.clone(),
                hash: e.token,
                grants: e.grants.clone(),
                created: at,
                until: Some(e.until),
                used: None,
                revoked: None,
            }),
            UserEvent::UserTokenRevoked(e) => {
                let open = |one: &&mut Token| one.name == e.name && one.revoked.is_none();
                if let Some(token) = self.tokens.iter_mut().find(open) {
                    token.revoked = Some(at);
                }
            }
            UserEvent::UserTokenUsed(e) => {
                // Of whoever comes in by a directory only that it let them in counts: tokens do not outlive for long that it
                // does not any more.
                if self.identity.is_none() {
                    self.seen = Some(at);
                }
                if let Some(token) = self.tokens.iter_mut().rev().find(|one| one.name == e.name) {
                    token.used = Some(e.day);
                }
            }
            UserEvent::UserLoggedIn(e) => {
                if e.by == Entry::Code {
                    self.code = None;
                }
                (self.seen, self.failed) = (Some(at), 0);
                let (name, by, began, until) = (e.session.clone(), e.by, at, e.until);
                self.sessions.push(Session { name, by, began, until, ended: None });
            }
            UserEvent::UserLoggedOut(e) => self.end(&e.session, at, e.why),
            UserEvent::UserLoginFailed(e) => self.failed = e.times,
            UserEvent::UserFilterSaved(e) => {
                self.filters.remove(&e.name);
                self.filters.extend(e.query.clone().map(|query| (e.name.clone(), query)));
            }
            UserEvent::UserDenied(_) => {}
        }
        self.forget_ended(at);
        self
    }

    /// Accounts of the first kind could do all there was: what an operator could then is an operator's and an author's today,
    /// and whoever could also approve kept the accounts.
    fn create(&mut self, roles: &[Role]) {
        let mut now: Vec<Role> = roles.to_vec();
        let was = |role| roles.contains(&role);
        if was(Role::Operator) {
            now.push(Role::Author);
        }
        if was(Role::Operator) && was(Role::Approver) {
            now.push(Role::Admin);
        }
        if now.len() > 1 {
            now.retain(|role| *role != Role::Auditor);
        }
        self.grants = now.into_iter().map(Grant::all).collect();
    }

    fn remove(&mut self, reason: &str, at: Timestamp) {
        // Who they are in the directory is kept: whoever was removed does not come back by it under another name.
        self.removed = Some((reason.to_owned(), at));
        self.grants.clear();
        for token in self.tokens.iter_mut().filter(|one| one.revoked.is_none()) {
            token.revoked = Some(at);
        }
        self.end_ways_in(at);
    }

    /// It does not come in by the directory any more.
    fn leave_directory(&mut self) {
        self.identity = None;
        self.groups.clear();
    }

    /// Its password and code are gone, and its sessions.
    fn end_ways_in(&mut self, at: Timestamp) {
        (self.password, self.code) = (None, None);
        for session in self.sessions.iter_mut().filter(|one| one.ended.is_none()) {
            session.ended = Some((at, LogOut::Revoked));
        }
    }

    fn end(&mut self, session: &str, at: Timestamp, why: LogOut) {
        let open = |one: &&mut Session| one.name == session && one.ended.is_none();
        if let Some(session) = self.sessions.iter_mut().find(open) {
            session.ended = Some((at, why));
        }
    }

    fn forget_ended(&mut self, now: Timestamp) {
        let over = |one: &Session| one.ended.is_some() || one.until <= now;
        let mut surplus = self.sessions.iter().filter(|one| over(one)).count();
        self.sessions.retain(|one| {
            let goes = surplus > ENDED_KEPT && over(one);
            surplus -= usize::from(goes);
            !goes
        });
        let mut surplus = self.tokens.iter().filter(|one| !one.is_open(now)).count();
        self.tokens.retain(|one| {
            let goes = surplus > ENDED_KEPT && !one.is_open(now);
            surplus -= usize::from(goes);
            !goes
        });
    }
}
