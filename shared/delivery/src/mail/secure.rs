//! Whom TLS trusts.

use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::{Relay, Tls};
use crate::DeliveryError;

/// Most bytes of a file of certificates.
const MOST_BYTES: u64 = 4 << 20;

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
                Ok(Self { trusted: Some((Arc::new(config(relay)?), name)) })
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

fn config(relay: &Relay) -> Result<ClientConfig, DeliveryError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| DeliveryError::bad_settings("TLS", error.to_string()))?;
    let roots = relay.ca_file.as_deref().map_or_else(of_this_machine, of_file)?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn of_this_machine() -> Result<RootCertStore, DeliveryError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        let why = "this machine has none; install ca-certificates or name a file";
        return Err(DeliveryError::bad_settings("certificates of authorities", why));
    }
    Ok(roots)
}

fn of_file(path: &Path) -> Result<RootCertStore, DeliveryError> {
    let bad = |why: String| {
        let why = format!("{}: {why}", path.display());
        DeliveryError::bad_settings("file of certificates", why)
    };
    let mut pem = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| bad(error.to_string()))?;
    file.take(MOST_BYTES).read_to_end(&mut pem).map_err(|error| bad(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| bad(error.to_string()))?;
        roots.add(certificate).map_err(|error| bad(error.to_string()))?;
    }
    if roots.is_empty() { Err(bad("there is none in it".to_owned())) } else { Ok(roots) }
}
