//! The brain's body: feeds committed events into [`domain::scheduler::Scheduler`], appends what it
//! decides, offers work. It decides nothing itself.

mod config;
mod feed;
mod notify;
mod service;
mod zones;

pub use config::SchedulerConfig;
pub use notify::{Contact, NotifyConfig, Webhook, WebhookFormat};
pub use service::{Producer, Surroundings, run};
pub use zones::{ZoneInfo, rules};
