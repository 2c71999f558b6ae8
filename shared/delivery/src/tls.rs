//! Whom TLS trusts.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use crate::DeliveryError;

/// Most bytes of a file of certificates.
const MOST_BYTES: u64 = 4 << 20;

/// How a server is called that the authorities in a file vouch for, or those that this machine trusts.
pub(crate) fn client(ca_file: Option<&Path>) -> Result<ClientConfig, DeliveryError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| DeliveryError::bad_settings("TLS", error.to_string()))?;
    let roots = ca_file.map_or_else(of_this_machine, of_file)?;
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
