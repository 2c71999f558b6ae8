//! How Decklog's services talk: one transport in two forms, inside one process and over NATS.
//!
//! A message is a nudge; the log is the truth. So everything here may be lost, late or twice, and every
//! caller sends again what still matters. What the bus promises is that nothing is lost for long, that
//! no queue grows without a limit, and that both forms behave alike.
//!
//! | what | of | promise |
//! |---|---|---|
//! | [`Bus::request`], [`Bus::serve`] | [`Service`] | one server takes each request |
//! | [`Bus::publish`], [`Bus::subscribe`] | [`Topic`] | all hear it who keep up; who does not is told |
//! | [`Bus::offer`], [`Bus::worker`] | a pool of hosts | one worker has it at a time, until it is done |
//!
//! [`limits`] names every bound; [`BusError`] says what to do about each failure.

mod bus;
mod config;
mod error;
mod heads;
pub mod limits;
mod local;
mod names;
mod nats;
pub mod recorder;
mod requests;
mod ring;
mod subscription;
mod tracked;
mod work;

pub use bus::Bus;
pub use config::NatsConfig;
pub use error::BusError;
pub use heads::HeadLooks;
pub use limits::{Limits, MAX_MESSAGE_BYTES};
pub use names::{Service, Topic};
pub use requests::{Request, Requests};
pub use subscription::{Delivery, Subscription};
pub use work::{Work, Worker};
