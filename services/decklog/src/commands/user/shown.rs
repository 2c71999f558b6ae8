//! Accounts and tokens as they are printed.

use console::{DirectoryView, TokenView, UserView};
use jiff::Timestamp;
use serde::Serialize;

use crate::cli::Format;
use crate::output::{self, Table, local};

/// All accounts.
pub(super) fn list(users: &[UserView], format: Format) -> anyhow::Result<()> {
    output::list(format, users, |users| {
        let mut table =
            Table::new(["ACCOUNT", "STATE", "KIND", "SESSIONS", "TOKENS", "HEARD", "GRANTS"]);
        for one in users {
            table.row([
                one.name.clone(),
                one.state.clone(),
                kind(one).to_owned(),
                one.sessions.len().to_string(),
                one.tokens.len().to_string(),
                at(one.seen),
                one.grants.join(", "),
            ]);
        }
        table
    })
}

fn kind(user: &UserView) -> &'static str {
    if user.program { "program" } else { "person" }
}

fn at(instant: Option<Timestamp>) -> String {
    instant.map_or_else(|| "-".to_owned(), local)
}

/// One account.
pub(super) fn text(user: &UserView) -> String {
    let mut text = format!("account   {}\nstate     {}\n", user.name, user.state);
    let mut line = |what: &str, says: String| text.push_str(&format!("{what:<10}{says}\n"));
    line("kind", kind(user).to_owned());
    line("grants", user.grants.join(", "));
    line("heard", at(user.seen));
    match &user.subject {
        None => line("password", if user.password { "set" } else { "none" }.to_owned()),
        Some(subject) => {
            line("directory", format!("as {subject}"));
            line("groups", user.groups.join(", "));
        }
    }
    for (name, query) in &user.filters {
        line("search", format!("{name}: {query}"));
    }
    for one in &user.sessions {
        let (began, until) = (local(one.began), local(one.until));
        line("session", format!("{} by {} since {began}, until {until}", one.name, one.by));
    }
    for one in &user.tokens {
        line("token", format!("{} until {}, at most {}", one.name, at(one.until), limits(one)));
    }
    text
}

/// The directory, and what its groups may.
pub(super) fn directory(directory: &DirectoryView) -> String {
    let mut text = format!("issuer    {}\n", directory.issuer);
    for group in &directory.groups {
        text.push_str(&format!("group     {}: {}\n", group.name, group.grants.join(", ")));
    }
    text
}

fn limits(token: &TokenView) -> String {
    let limits = token.grants.join(", ");
    if limits.is_empty() { "what the account may".to_owned() } else { limits }
}

/// A token, and whose it is.
#[derive(Debug, Serialize)]
struct Owned {
    user: String,
    #[serde(flatten)]
    token: TokenView,
}

/// Open tokens of these accounts.
pub(super) fn tokens(users: Vec<UserView>, format: Format) -> anyhow::Result<()> {
    let of = |user: UserView| {
        let name = user.name;
        user.tokens.into_iter().map(move |token| Owned { user: name.clone(), token })
    };
    let all: Vec<Owned> = users.into_iter().flat_map(of).collect();
    output::list(format, &all, tokens_table)
}

fn tokens_table(all: &[Owned]) -> Table {
    let mut table = Table::new(["ACCOUNT", "TOKEN", "MADE", "ENDS", "USED", "AT MOST"]);
    for Owned { user, token } in all {
        table.row([
            user.clone(),
            token.name.clone(),
            local(token.created),
            at(token.until),
            token.used.map_or_else(|| "-".to_owned(), |day| day.to_string()),
            limits(token),
        ]);
    }
    table
}
