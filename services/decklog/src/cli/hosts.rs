//! What people say of hosts.

use clap::Subcommand;

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
    Invite(NamedAct),
    /// Takes its key back, for good: nothing that it says from then on counts, and its name is used up.
    Revoke(NamedAct),
}
