//! The access review: who may do what, what changed since somebody looked last, and the signature.

use console::Applied;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cli::{Format, Place, ReviewAccess};
use crate::commands::with_log;
use crate::output::{self, Table, local};

/// What is to be reviewed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Access {
    position: u64,
    since: Timestamp,
    until: Timestamp,
    accounts: Vec<Account>,
    removed: Vec<Removed>,
    changed: Vec<Changed>,
    shown: String,
    overdue: bool,
    may_sign: bool,
    signed: Option<Value>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Account {
    name: String,
    program: bool,
    grants: Vec<String>,
    created: Option<Timestamp>,
    by: Option<String>,
    new: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<String>>,
    seen: Option<Date>,
    tokens: Vec<Token>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Token {
    name: String,
    grants: Vec<String>,
    until: Option<Timestamp>,
    used: Option<Date>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Removed {
    name: String,
    at: Timestamp,
    reason: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Changed {
    name: String,
    at: Timestamp,
    by: Option<String>,
    grants: Vec<String>,
    reason: String,
}

pub(super) fn run(wanted: &ReviewAccess, format: Format) -> anyhow::Result<()> {
    if wanted.sign { sign(wanted, format) } else { show(&wanted.place, format) }
}

fn access(place: &Place) -> anyhow::Result<Access> {
    with_log(place, |client| client.get_json("/api/v1/access-review"))
}

fn show(place: &Place, format: Format) -> anyhow::Result<()> {
    output::one(format, &access(place)?, text)
}

/// Signs for what was shown before, where that is named, or for how it stands now.
fn sign(wanted: &ReviewAccess, format: Format) -> anyhow::Result<()> {
    let (until, applied) = with_log(&wanted.place, |client| {
        let (until, shown) = match (wanted.until, wanted.shown.clone()) {
            (Some(until), Some(shown)) => (until, shown),
            (_, _) => {
                let now: Access = client.get_json("/api/v1/access-review")?;
                (now.until, now.shown)
            }
        };
        let body = json!({"until": until, "shown": shown, "statement": wanted.statement});
        let applied: Applied = client.post_slow("/api/v1/access-review", &body)?;
        anyhow::Ok((until, applied))
    })?;
    output::one(format, &applied, |done| {
        format!("signed: who may do what until {}, event {}\n", local(until), done.position)
    })
}

fn text(access: &Access) -> String {
    let mut lines = vec![format!("{} to {}", local(access.since), local(access.until))];
    if access.overdue {
        lines.push("an access review is overdue".to_owned());
    }
    lines.extend(access.accounts.iter().filter(|one| one.new).map(made));
    lines.extend(
        access
            .removed
            .iter()
            .map(|one| format!("removed  {} at {}: {}", one.name, local(one.at), one.reason)),
    );
    lines.extend(access.changed.iter().map(changed));
    let how = if access.may_sign {
        let (until, shown) = (access.until, &access.shown);
        format!("to sign for this: decklog user review --sign --until {until} --shown {shown}")
    } else {
        "somebody else signs for this".to_owned()
    };
    format!("{}\n{}{how}\n", lines.join("\n"), table(&access.accounts).text())
}

fn made(one: &Account) -> String {
    let nobody = if one.groups.is_some() { "the directory" } else { "nobody" };
    let (by, at) = (one.by.as_deref().unwrap_or(nobody), one.created.map(local));
    format!("new      {} at {} by {by}", one.name, at.unwrap_or_default())
}

fn changed(one: &Changed) -> String {
    let (by, grants) = (one.by.as_deref().unwrap_or("the directory"), one.grants.join(", "));
    let at = local(one.at);
    format!("changed  {} at {at} by {by}, may {grants}: {}", one.name, one.reason)
}

fn table(accounts: &[Account]) -> Table {
    let mut table = Table::new(["ACCOUNT", "KIND", "HEARD", "TOKENS", "GRANTS"]);
    for one in accounts {
        let kind = if one.program { "program" } else { "person" };
        let tokens: Vec<String> = one.tokens.iter().map(token).collect();
        table.row([
            one.name.clone(),
            kind.to_owned(),
            one.seen.map_or_else(|| "-".to_owned(), |day| day.to_string()),
            if tokens.is_empty() { "-".to_owned() } else { tokens.join("; ") },
            one.grants.join(", "),
        ]);
    }
    table
}

fn token(one: &Token) -> String {
    let until =
        one.until.map_or_else(|| "without end".to_owned(), |at| format!("until {}", local(at)));
    let used = one.used.map_or_else(|| "never used".to_owned(), |day| format!("used {day}"));
    let most = if one.grants.is_empty() {
        String::new()
    } else {
        format!(", at most {}", one.grants.join(", "))
    };
    format!("{} {until}, {used}{most}", one.name)
}
