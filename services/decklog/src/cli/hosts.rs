//! What people say of hosts.

use clap::{Args, Subcommand};

use super::Place;

#[derive(Debug, Subcommand)]
pub(crate) enum Host {
    /// Lists hosts: pools, labels, slots, what runs, when each was last heard.
    List(Place),
    /// Shows one host.
    Show {
        /// The host.
        name: String,
        #[command(flatten)]
        place: Place,
    },
    /// Lets it start nothing new; what runs there goes on.
    Drain(HostAct),
    /// Lets it take work again.
    Resume(HostAct),
}

#[derive(Debug, Args)]
pub(crate) struct HostAct {
    /// The host.
    pub(crate) name: String,
    /// Why.
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) place: Place,
}
