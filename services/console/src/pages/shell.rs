//! What is around each page, and who looks at it.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use domain::ledger::Policy;
use domain::people::{Action, User};
use jiff::Timestamp;

use super::answer::{Page, asset_path, encoded};
use super::when;
use crate::commands::{Applied, CommandError};
use crate::people::{Caller, Form};
use crate::problem::Problem;
use crate::state::Console;

/// A link of the navigation.
#[derive(Debug)]
pub(crate) struct NavItem {
    pub(crate) href: &'static str,
    pub(crate) word: &'static str,
    pub(crate) current: bool,
}

/// Where people go, and what the first letters of their address are there.
const NAV: &[(&str, &str)] = &[
    ("/night", "Night"),
    ("/incidents", "Incidents"),
    ("/timeline", "Timeline"),
    ("/changes", "Changes"),
    ("/jobs", "Jobs"),
    ("/runs", "Runs"),
    ("/backups", "Backups"),
    ("/prints", "Prints"),
    ("/hosts", "Hosts"),
    ("/events", "Events"),
    ("/controls", "Controls"),
    ("/requests", "Requests"),
    ("/people", "People"),
    ("/site", "Site"),
];

/// Whoever looks at a page.
#[derive(Debug)]
pub(crate) struct Who {
    pub(crate) name: String,
    /// The word that their forms carry.
    pub(crate) word: String,
}

/// To which position, and instant, a page is true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AsOf {
    pub(crate) position: u64,
    pub(crate) ms: i64,
    pub(crate) now_ms: i64,
    pub(crate) text: String,
    /// Whether somebody may wait in front of it for news.
    pub(crate) live: bool,
}

/// What is around a page.
#[derive(Debug)]
pub(crate) struct Shell {
    pub(crate) who: Option<Who>,
    pub(crate) nav: Vec<NavItem>,
    /// Whether one person may approve their own change here.
    pub(crate) alone: bool,
    /// That the log does not go on, and since when.
    pub(crate) stalled: Option<String>,
    pub(crate) as_of: Option<AsOf>,
    /// Position of the event that the last form became.
    pub(crate) done: Option<u64>,
    /// The command that does or shows the same.
    pub(crate) cli: Option<String>,
    pub(crate) style: String,
    pub(crate) script: String,
    pub(crate) version: &'static str,
}

impl Shell {
    /// Around a page for nobody in particular.
    pub(crate) fn bare() -> Self {
        Self {
            who: None,
            nav: Vec::new(),
            alone: false,
            stalled: None,
            as_of: None,
            done: None,
            cli: None,
            style: asset_path("style.css"),
            script: asset_path("live.js"),
            version: env!("CARGO_PKG_VERSION"),
        }
    }

    /// The same with the position to which its data is true.
    #[must_use]
    #[expect(clippy::wrong_self_convention, reason = "it reads as the page says it: data as of")]
    pub(crate) fn as_of(self, console: &Console, position: u64) -> Self {
        // What was read just now is true now, if the recorder goes on.
        let now = (console.clock)();
        self.as_of_then(console, position, now)
    }

    /// The same with the position to which its data is true, which was read then.
    #[must_use]
    #[expect(clippy::wrong_self_convention, reason = "it reads as the page says it: data as of")]
    pub(crate) fn as_of_then(mut self, console: &Console, position: u64, then: Timestamp) -> Self {
        let now_ms = (console.clock)().as_millisecond();
        let (ms, text) = (then.as_millisecond(), when(then));
        self.as_of = Some(AsOf { position, ms, now_ms, text, live: true });
        self
    }

    /// The same with the command that shows the same.
    #[must_use]
    pub(crate) fn cli(mut self, command: impl Into<String>) -> Self {
        self.cli = Some(command.into());
        self
    }
}

/// Somebody in front of a browser who has come in. Whoever has not is led to where they can.
#[derive(Debug)]
pub(crate) struct Visitor {
    pub(crate) caller: Caller,
    pub(crate) policy: Policy,
    pub(crate) now: Timestamp,
    path: String,
    done: Option<u64>,
    word: String,
    stalled: Option<String>,
}

impl FromRequestParts<Console> for Visitor {
    type Rejection = Page;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Page> {
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let found = crate::people::by_cookie(parts, console).await.map_err(Page::from)?;
        let Some(caller) = found else {
            let next = if parts.method.is_safe() { path } else { "/".to_owned() };
            return Err(Page::away(&format!("/login?next={}", encoded(&next))));
        };
        // While nobody answers, pages that need no answer are shown all the same.
        let policy = match console.pulse.last_policy() {
            Some(policy) => policy,
            None => console.policy().await.map_err(Page::from)?,
        };
        let session = caller.session().unwrap_or_default();
        let word = Form::word(&console.keys, session);
        let done = parts.uri.query().and_then(|query| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, _)| *key == "done").and_then(|(_, value)| value.parse().ok())
        });
        let now = (console.clock)();
        let stalled = console.pulse.beat().stalled(now).map(|stalled| stalled.words(when));
        Ok(Self { caller, policy, now, path, done, word, stalled })
    }
}

impl Visitor {
    /// Their account.
    pub(crate) fn user(&self) -> &Arc<User> {
        &self.caller.user
    }

    /// The word that their forms carry.
    pub(crate) fn word(&self) -> String {
        self.word.clone()
    }

    /// Whether a page offers them something.
    pub(crate) fn could(&self, action: Action) -> bool {
        self.caller.could(action, self.now)
    }

    /// What is around their page.
    pub(crate) fn shell(&self) -> Shell {
        let here = self.path.split('?').next().unwrap_or_default();
        let item = |(href, word): &(&'static str, &'static str)| {
            let rest = here.strip_prefix(href);
            let current = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
            NavItem { href, word, current }
        };
        let who = Who { name: self.user().name.clone(), word: self.word() };
        Shell {
            who: Some(who),
            nav: NAV.iter().map(item).collect(),
            alone: self.policy.self_approval,
            stalled: self.stalled.clone(),
            done: self.done,
            ..Shell::bare()
        }
    }

    /// A page for them.
    pub(crate) fn page(&self, template: &impl askama::Template) -> Page {
        Page::of(template).with_cookie(self.caller.cookie.clone())
    }

    /// Whether they are somebody else than who asked for something, as far as the site demands that.
    pub(crate) fn is_another(&self, than: Option<&str>) -> bool {
        self.policy.is_another(Some(&self.user().actor()), than)
    }

    /// The page with what went wrong, and its status.
    pub(crate) fn refused(&self, template: &impl askama::Template, error: &CommandError) -> Page {
        self.page(template).with_status(Problem::from(error.clone()).code())
    }

    /// Where what they sent leads: to the page that says what it became, or to the one it was sent from, which is only
    /// made then, `with` what went wrong.
    pub(crate) async fn became<T: askama::Template>(
        &self,
        done: Result<Applied, CommandError>,
        to: impl FnOnce(&Applied) -> String,
        page: impl Future<Output = Result<T, Page>>,
        with: impl FnOnce(T, Option<String>) -> T,
    ) -> Result<Page, Page> {
        match done {
            Ok(applied) => Ok(self.done(&to(&applied), applied.position)),
            Err(error) => match page.await {
                Ok(page) => Ok(self.refused(&with(page, Some(error.to_string())), &error)),
                // Whoever may not is told that, and not what there is.
                Err(_) => Err(error.into()),
            },
        }
    }

    /// Leads them elsewhere.
    pub(crate) fn away(&self, to: &str) -> Page {
        Page::away(to).with_cookie(self.caller.cookie.clone())
    }

    /// Leads them to a page that says what their form became.
    pub(crate) fn done(&self, to: &str, position: u64) -> Page {
        let mark = if to.contains('?') { '&' } else { '?' };
        let done = if position == 0 { to.to_owned() } else { format!("{to}{mark}done={position}") };
        self.away(&done)
    }
}

#[cfg(test)]
mod tests {
    use askama::Template;

    use super::*;
    use crate::pulse::Stalled;

    #[derive(Template)]
    #[template(
        ext = "html",
        source = r#"{% extends "base.html" %}{% block main %}<p>page</p>{% endblock %}"#
    )]
    struct Any {
        shell: Shell,
    }

    #[test]
    fn every_page_says_that_the_log_does_not_go_on() {
        let page = |stalled| Any { shell: Shell { stalled, ..Shell::bare() } }.render().unwrap();
        assert!(!page(None).contains("role=\"alert\""));
        let since = "2026-11-20T07:53:00Z".parse().unwrap();
        let page = page(Some(Stalled::Silent(since).words(when)));
        let (before, banner) = page.split_once("role=\"alert\">").unwrap();
        assert!(!before.contains("<main"), "it stands above the page");
        let said = "<strong>the recorder has not answered since 2026-11-20 07:53";
        assert!(banner.contains(said) && banner.contains("href=\"/site\""), "{banner}");
    }
}
