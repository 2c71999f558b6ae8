//! Where a rule is tried: in process, or on a NATS of its own.

use std::time::Duration;

use bus::{Bus, Limits, NatsConfig};
use bytes::Bytes;
use testkit::nats::Nats;

/// Longer than anything here should take, even on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Holds what the busses of one test share.
pub(crate) enum Place {
    InProcess(Bus),
    Nats(Box<Nats>, NatsConfig),
}

impl Place {
    pub(crate) fn in_process(limits: Limits) -> Place {
        Place::InProcess(Bus::in_process_with(limits).unwrap())
    }

    pub(crate) fn nats(limits: Limits) -> Place {
        let server = Nats::start(true).unwrap();
        let config = NatsConfig { limits, ..NatsConfig::new(server.url()) };
        Place::Nats(Box::new(server), config)
    }

    /// The bus as another service sees it: over NATS, a connection of its own.
    pub(crate) async fn bus(&self) -> Bus {
        match self {
            Place::InProcess(bus) => bus.clone(),
            Place::Nats(_server, config) => Bus::connect(config).await.unwrap(),
        }
    }
}

pub(crate) fn body(text: &str) -> Bytes {
    Bytes::from(text.to_owned())
}

/// Limits under which a test need not wait long.
pub(crate) fn quick() -> Limits {
    Limits { ack_wait_ms: 300, ..Limits::default() }
}

/// Makes each rule two tests, one for each form.
macro_rules! in_both_forms {
    ($($rule:ident with $limits:expr;)*) => {
        mod in_process {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $rule() {
                super::$rule(crate::place::Place::in_process($limits)).await;
            })*
        }
        mod over_nats {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $rule() {
                super::$rule(crate::place::Place::nats($limits)).await;
            })*
        }
    };
}
pub(crate) use in_both_forms;
