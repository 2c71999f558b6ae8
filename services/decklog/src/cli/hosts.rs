//! What people say of hosts.

use clap::{Args, Subcommand};

use super::{Named, NamedAct, Place};

#[derive(Debug, Subcommand)]
pub(crate) enum Host {
    /// Lists hosts: pools, labels, slots, what runs, when each was last heard.
    List(Place),
    /// Shows one host.
    Show(Named),
    /// Lets it start nothing new; what runs there goes on.
    Drain(NamedAct),
    /// Lets it take work again.
    Resume(NamedAct),
    /// Prints the line by which a new host joins, within a quarter of an hour.
    Invite(InviteHost),
    /// Takes its key back, for good: nothing that it says from then on counts. It comes back only by an invitation, with another key.
    Revoke(NamedAct),
}

/// Keys that wait to be let in, where a person confirms each (`console.confirm-keys`), and those of services that are taken back.
#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Lists those that are not let in.
    List(Place),
    /// Confirms one, by the fingerprint that its machine shows. Whoever invited a host does not confirm its key.
    Confirm(ConfirmKey),
    /// Declines one: it is told so, and another may ask.
    Decline(NamedAct),
    /// Takes the key of a console, a scheduler or a recorder back, for good: nothing that it says from then on counts. It comes back
    /// under another name.
    Revoke(NamedAct),
}

#[derive(Debug, Args)]
pub(crate) struct ConfirmKey {
    #[command(flatten)]
    pub(crate) act: NamedAct,
    /// What its machine shows, 32 digits or more; blanks and dashes count for nothing.
    #[arg(long)]
    pub(crate) fingerprint: String,
}

#[derive(Debug, Args)]
pub(crate) struct InviteHost {
    #[command(flatten)]
    pub(crate) act: NamedAct,
    /// It was let in before, and is to have another key: it was installed anew, or its key is lost, or was taken back. Of those before,
    /// none counts any more once it has joined.
    #[arg(long)]
    pub(crate) again: bool,
}
