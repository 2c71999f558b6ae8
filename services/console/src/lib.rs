//! The face: `/api/v1` for people's tools and scripts, probes, metrics. It shows the read model and says
//! in the log what people want; it changes nothing by itself.

mod access;
mod api;
mod check;
mod commands;
mod config;
mod controls;
mod document;
mod heard;
mod listen;
mod metrics;
mod pages;
mod people;
mod places;
mod problem;
mod pulse;
mod repeats;
mod review;
mod rota;
mod service;
mod site;
mod state;
mod versions;

pub use api::{
    DirectoryView, FlowRequested, MayRow, SessionView, TokenView, UserView, may_rows, openapi,
};
pub use check::{Checked, HostChecked};
pub use commands::{Applied, CommandError, Invitation, Once, WaitingKey};
pub use config::{ConsoleConfig, Joining, TlsConfig};
pub use heard::Heard;
pub use people::OidcConfig;
pub use problem::Problem;
pub use pulse::{Beat, Stalled};
pub use service::{Producer, Ready, Surroundings, run};
pub use site::{Calls, Count, Finding, Log, Program, Said, Setting, Site};
