//! TLS with a relay.

use std::io;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use super::{Relay, Tls};
use crate::DeliveryError;
use crate::tls::client;

/// What is needed to open TLS with a relay.
pub(super) struct Secure {
    trusted: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

impl Secure {
    /// Reads the certificates, before anybody is called.
    pub(super) fn prepare(relay: &Relay) -> Result<Self, DeliveryError> {
        match relay.tls {
            Tls::None => Ok(Self { trusted: None }),
            Tls::Wrapper | Tls::StartTls => {
                let name = ServerName::try_from(relay.bare_host().to_owned()).map_err(|_| {
                    DeliveryError::bad_settings("relay's host", "it is no name and no number")
                })?;
                Ok(Self { trusted: Some((Arc::new(client(relay.ca_file.as_deref())?), name)) })
            }
        }
    }

    /// A new connection's state.
    pub(super) fn open(&self) -> io::Result<ClientConnection> {
        let (config, name) =
            self.trusted.as_ref().ok_or_else(|| io::Error::other("TLS was not prepared"))?;
        ClientConnection::new(config.clone(), name.clone()).map_err(io::Error::other)
    }
}
