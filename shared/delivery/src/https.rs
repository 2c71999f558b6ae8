//! Requests over TLS to whoever this machine trusts.

use std::sync::Arc;

use ureq::Agent;
use ureq::config::ConfigBuilder;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};
use ureq::typestate::AgentScope;

/// An agent of these settings for one address. Where that begins with `https:` the server is vouched for by the authorities of
/// this machine; `SSL_CERT_FILE` names others. Elsewhere no certificate is read.
pub fn agent_for(url: &str, settings: ConfigBuilder<AgentScope>) -> Agent {
    let settings = if url.starts_with("https:") { settings.tls_config(tls()) } else { settings };
    settings.build().into()
}

fn tls() -> TlsConfig {
    let found = rustls_native_certs::load_native_certs().certs;
    let certificates: Vec<Certificate<'static>> =
        found.iter().map(|one| Certificate::from_der(one).to_owned()).collect();
    TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .root_certs(RootCerts::from(certificates))
        .build()
}
