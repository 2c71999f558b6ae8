//! The access review: who may do what, what changed since somebody looked last, and the signature.

use askama::Template;
use axum::extract::State;
use domain::access::{Shown, SignedAccess, is_own_work};
use domain::people::Action;

use super::answer::Page;
use super::forms::Sent;
use super::shell::{Shell, Visitor};
use super::when;
use crate::access::AccessSignWanted;
use crate::state::Console;

/// Signed reviews that are shown; the log has all.
const SIGNED: usize = 20;

#[derive(Template)]
#[template(path = "access.html")]
struct AccessPage {
    shell: Shell,
    shown: Shown,
    new: Vec<String>,
    people: usize,
    programs: usize,
    span: String,
    overdue: bool,
    digest: String,
    /// Newest first.
    signed: Vec<SignedAccess>,
    may_sign: bool,
    /// Whether they could, if they did not grant the rights themselves.
    own_work: bool,
    word: String,
    problem: Option<String>,
}

async fn access(console: &Console, visitor: &Visitor) -> Result<AccessPage, Page> {
    let access = console.access(&visitor.caller, None).await?;
    let digest = access.digest()?;
    let shown = access.shown;
    let programs = shown.accounts.iter().filter(|one| one.program).count();
    let new = shown.accounts.iter().filter(|one| one.new).map(|one| one.name.clone()).collect();
    let could = visitor.could(Action::SignReviews);
    let own_work = is_own_work(visitor.user(), visitor.policy.self_approval);
    Ok(AccessPage {
        shell: visitor
            .shell()
            .as_of(console, shown.position)
            .cli("decklog user review\ndecklog user review --sign --statement …"),
        new,
        people: shown.accounts.len() - programs,
        programs,
        span: format!("from {} to {}", when(shown.since), when(shown.until)),
        overdue: access.overdue,
        digest,
        signed: access.review.access.into_iter().rev().take(SIGNED).collect(),
        may_sign: could && !own_work,
        own_work: could && own_work,
        word: visitor.word(),
        problem: None,
        shown,
    })
}

/// The page.
pub(crate) async fn page(State(console): State<Console>, visitor: Visitor) -> Result<Page, Page> {
    Ok(visitor.page(&access(&console, &visitor).await?))
}

/// Somebody signs.
pub(crate) async fn sign(State(console): State<Console>, sent: Sent) -> Result<Page, Page> {
    let (fields, visitor) = (&sent.fields, &sent.visitor);
    let done = match fields.instant("until") {
        Ok(until) => {
            let (shown, statement) = (fields.text("shown"), fields.text("statement"));
            let wanted = AccessSignWanted { until, shown, statement };
            console.sign_access(&wanted, &visitor.caller).await
        }
        Err(error) => Err(error),
    };
    let to = |_: &crate::commands::Applied| "/people/review".to_owned();
    let page = access(&console, visitor);
    visitor.became(done, to, page, |page, problem| AccessPage { problem, ..page }).await
}
