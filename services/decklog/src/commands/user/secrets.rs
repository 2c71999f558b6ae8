//! What is shown once: codes and tokens. The secret is alone on standard output, so that a script can take it; what is said
//! beside it goes to standard error.

use std::path::Path;

use console::{Applied, Once, UserView};
use serde::Serialize;
use serde_json::json;

use super::{act, check_keeps, me, tokens};
use crate::cli::{
    AddUser, CreateToken, Format, Named, NewPassword, Place, ResetUser, RevokeToken, UserToken,
};
use crate::client::Client;
use crate::commands::{console_for_browsers, with_log};
use crate::embedded::{Embedded, Wanted};
use crate::{exit, output};

/// An account that was made, and the code for whoever has it.
#[derive(Debug, Serialize)]
struct Added {
    account: Applied,
    code: Option<Once>,
    /// Where the code is used.
    login: Option<String>,
}

pub(super) fn add(add: &AddUser, format: Format) -> anyhow::Result<()> {
    let name = &add.name;
    let wanted = json!({"act": "provision", "grants": add.grants, "program": add.program});
    let body = json!({"act": wanted, "reason": add.reason});
    let path = format!("/api/v1/users/{name}/acts");
    let (account, code) = with_log(&add.place, |client| {
        let account = client.act(&path, &body)?;
        // Whoever comes in by the directory comes back by it.
        let made: UserView = client.get_json(&format!("/api/v1/users/{name}"))?;
        let by_code = !add.program && made.subject.is_none();
        let code = if by_code { Some(new_code(client, name)?) } else { None };
        Ok((account, code))
    })?;
    let login = code.as_ref().map(|_| login(&add.place, name));
    if matches!(format, Format::Table) {
        eprintln!("{}: {}", account.stream, account.message);
    }
    match (&code, &login) {
        (Some(code), Some(login)) if matches!(format, Format::Table) => print_code(code, login),
        (_, _) => output::one(format, &Added { account, code, login }, |_| String::new()),
    }
}

fn new_code(client: &Client, name: &str) -> anyhow::Result<Once> {
    client.post_json(&format!("/api/v1/users/{name}/code"), &json!({}))
}

/// Where somebody comes in by a code.
fn login(place: &Place, name: &str) -> String {
    format!("{}/login?name={name}&code=", console_for_browsers(place))
}

fn print_code(code: &Once, login: &str) -> anyhow::Result<()> {
    let (name, until) = (&code.name, output::local(code.until));
    eprintln!("{name} comes in at {login} by this code, once, until {until}:");
    output::line(&code.secret)
}

pub(super) fn code(which: &Named, format: Format) -> anyhow::Result<()> {
    let code = with_log(&which.place, |client| new_code(client, &which.name))?;
    match format {
        Format::Table => print_code(&code, &login(&which.place, &which.name)),
        Format::Json | Format::Jsonl => output::one(format, &code, |_| String::new()),
    }
}

pub(super) fn token(token: &UserToken, format: Format) -> anyhow::Result<()> {
    match token {
        UserToken::Create(create) => create_token(create, format),
        UserToken::List(list) => tokens(list, format),
        UserToken::Revoke(revoke) => revoke_token(revoke, format),
    }
}

/// The account that is named, or the one that asks.
fn owner(user: Option<&String>, place: &Place) -> anyhow::Result<String> {
    match user {
        Some(user) => Ok(user.clone()),
        None => Ok(me(place)?.user.name),
    }
}

fn create_token(create: &CreateToken, format: Format) -> anyhow::Result<()> {
    let owner = owner(create.user.as_ref(), &create.place)?;
    let body = json!({"name": create.name, "grants": create.grants, "days": create.days});
    let path = format!("/api/v1/users/{owner}/tokens");
    let once: Once = with_log(&create.place, |client| client.post_json(&path, &body))?;
    if matches!(format, Format::Table) {
        let until = output::local(once.until);
        eprintln!(
            "token {} of user/{owner}, until {until}; it is shown now and never again:",
            once.name
        );
    }
    output::one(format, &once, |once| format!("{}\n", once.secret))
}

fn revoke_token(revoke: &RevokeToken, format: Format) -> anyhow::Result<()> {
    let owner = owner(revoke.user.as_ref(), &revoke.place)?;
    let wanted = json!({"act": "revoke-token", "name": revoke.name});
    let body = json!({"act": wanted, "reason": revoke.reason});
    act(&owner, &revoke.place, &body, format)
}

/// Passwords come by files: on a command line, everybody on the machine would read them.
pub(super) fn password(wanted: &NewPassword, format: Format) -> anyhow::Result<()> {
    let read = |path: &Path| {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|error| exit::usage(format!("{}: {error}", path.display())))?;
        anyhow::Ok(text.trim().to_owned())
    };
    let body = json!({"old": read(&wanted.old_file)?, "password": read(&wanted.new_file)?});
    let applied = with_log(&wanted.place, |client| client.act("/api/v1/me/password", &body))?;
    output::one(format, &applied, |a| format!("{}: {}\n", a.stream, a.message))
}

/// Whoever may write the data directory lets an administrator in; that they did is an event.
pub(super) fn reset(reset: &ResetUser, format: Format) -> anyhow::Result<()> {
    let place = Place { data: Some(reset.data.clone()), ..Place::default() };
    check_keeps(&reset.name, &place)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let wanted =
        Wanted { let_in: Some(reset.name.clone()), ..Wanted::for_one_command(&reset.data) };
    let embedded = runtime.block_on(Embedded::start(wanted))?;
    let code = embedded.code.clone().unwrap_or_default();
    runtime.block_on(embedded.stop())?;
    let name = &reset.name;
    eprintln!("{name} comes in at /login?name={name}&code= by this code, once, within a day:");
    let shown = json!({"name": name, "secret": code});
    output::one(format, &shown, |_| format!("{code}\n"))
}
