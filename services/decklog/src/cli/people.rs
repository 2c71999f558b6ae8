//! What people say of accounts: who there is, and what each may do.

use clap::{Args, Subcommand};
use domain::people::Grant;

use super::{Named, NamedAct, Place};

#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// Lists accounts: what each may do, and when it was heard of last.
    List(Place),
    /// Shows one account with its open tokens and sessions.
    Show(Named),
    /// Shows who asks, by what, and what they may do.
    Whoami(Place),
    /// Prints the table of who may do what.
    Roles,
    /// Shows who may do what, and what changed since somebody signed for that last; signs for it with --sign.
    Review(ReviewAccess),
    /// Makes an account, for the first time or again. A person is given a code by which they come in once.
    Add(AddUser),
    /// Gives an account these grants, and no others.
    Grant(GrantUser),
    /// Lets an account come in by the site's directory, and by nothing else but its tokens.
    Link(LinkUser),
    /// Does not let it come in by the directory any more.
    Unlink(NamedAct),
    /// Shows the directory by which people come in, and what its groups may do here.
    Directory(Place),
    /// Removes an account: its sessions and tokens end at once.
    Remove(NamedAct),
    /// Issues a code by which somebody comes in once within a day, and sets a password.
    Code(Named),
    /// Sets another password of your own account: all its sessions end, tokens go on.
    Password(NewPassword),
    /// Keeps a search of the events page under a name; without a query it is forgotten.
    Filter(KeepFilter),
    /// Ends a session of an account.
    EndSession(EndSession),
    /// Tokens, for scripts and programs.
    #[command(subcommand)]
    Token(UserToken),
    /// Issues a code on the console's own machine, where no administrator can come in any more. Nothing may run on the
    /// data directory.
    Reset(ResetUser),
}

#[derive(Debug, Args)]
pub(crate) struct ReviewAccess {
    /// Signs that you have looked at it: for how it stands now, or for what --until and --shown name.
    #[arg(long)]
    pub(crate) sign: bool,
    /// Until when it was shown to you, as `user review` says it.
    #[arg(long, requires_all = ["sign", "shown"])]
    pub(crate) until: Option<jiff::Timestamp>,
    /// The digest of what was shown to you. Nothing is signed where something changed since then.
    #[arg(long, requires_all = ["sign", "until"])]
    pub(crate) shown: Option<String>,
    /// Anything to say.
    #[arg(long, default_value = "", requires = "sign", hide_default_value = true)]
    pub(crate) statement: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct AddUser {
    /// Its name.
    pub(crate) name: String,
    /// What it may do, such as operator, author@folder/payroll or operator@pool/eu; may be given several times.
    #[arg(long = "grant", required = true, value_name = "GRANT")]
    pub(crate) grants: Vec<Grant>,
    /// A program has it: it comes in by tokens, and does nothing for which a person answers.
    #[arg(long)]
    pub(crate) program: bool,
    /// Why.
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct GrantUser {
    /// Its name.
    pub(crate) name: String,
    /// All that it may do from now on.
    #[arg(required = true, value_name = "GRANT")]
    pub(crate) grants: Vec<Grant>,
    /// Why.
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct KeepFilter {
    /// Its name among your searches.
    pub(crate) name: String,
    /// What stands behind the ? of the page's address, such as type=run.failed&group=stream.
    pub(crate) query: Option<String>,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct LinkUser {
    /// Its name.
    pub(crate) name: String,
    /// What the directory calls it: the claim `sub`, which is shown to whoever could not come in.
    #[arg(long)]
    pub(crate) subject: String,
    /// Why.
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct NewPassword {
    /// File with the password you have.
    #[arg(long)]
    pub(crate) old_file: std::path::PathBuf,
    /// File with the one you want: 15 characters at least.
    #[arg(long)]
    pub(crate) new_file: std::path::PathBuf,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct EndSession {
    /// Whose session it is.
    pub(crate) name: String,
    /// The session, as `user show` names it.
    pub(crate) session: String,
    /// Why.
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Subcommand)]
pub(crate) enum UserToken {
    /// Makes a token and prints it: nobody can show it again.
    Create(CreateToken),
    /// Lists open tokens, of all accounts or of one.
    List(ListTokens),
    /// Revokes a token: nobody comes in by it any more.
    Revoke(RevokeToken),
}

#[derive(Debug, Args)]
pub(crate) struct CreateToken {
    /// Its name among the account's tokens.
    pub(crate) name: String,
    /// The program that is to have it; one's own account when absent.
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) user: Option<String>,
    /// What it may at most; what the account may when absent. May be given several times.
    #[arg(long = "grant", value_name = "GRANT")]
    pub(crate) grants: Vec<Grant>,
    /// How many days it lives, 366 at most.
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=366))]
    pub(crate) days: u32,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct ListTokens {
    /// Only of this account.
    #[arg(long)]
    pub(crate) user: Option<String>,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct RevokeToken {
    /// The token's name.
    pub(crate) name: String,
    /// Whose it is; one's own when absent.
    #[arg(long)]
    pub(crate) user: Option<String>,
    /// Why.
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct ResetUser {
    /// An account that keeps the accounts.
    pub(crate) name: String,
    /// Data directory of the `decklog up` that has stopped.
    #[arg(long, env = "DECKLOG_DATA", default_value = "decklog-data")]
    pub(crate) data: std::path::PathBuf,
}
