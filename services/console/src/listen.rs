//! How browsers reach this console: plain on this machine, by TLS (RFC 8446) from elsewhere.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::{debug, warn};

use crate::config::TlsConfig;

/// How long a browser may take to agree on keys.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How many may do so at once; more wait.
const AT_ONCE: usize = 256;

/// Where a request comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

impl Connected<IncomingStream<'_, TcpListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TcpListener>) -> Self {
        Self(*stream.remote_addr())
    }
}

impl Connected<IncomingStream<'_, TlsListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TlsListener>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// Connections on which keys are agreed. Whoever dawdles keeps nobody else waiting.
#[derive(Debug)]
pub(crate) struct TlsListener {
    agreed: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    address: SocketAddr,
}

impl TlsListener {
    /// Agrees on keys with whoever comes to a port.
    ///
    /// # Errors
    /// The certificate or its key cannot be read, or do not fit each other.
    pub(crate) fn over(listener: TcpListener, config: &TlsConfig) -> anyhow::Result<Self> {
        let address = listener.local_addr()?;
        let acceptor = TlsAcceptor::from(Arc::new(server(config)?));
        let (agree, agreed) = mpsc::channel(AT_ONCE);
        tokio::spawn(accept(listener, acceptor, agree));
        Ok(Self { agreed, address })
    }
}

async fn accept(
    mut listener: TcpListener,
    acceptor: TlsAcceptor,
    agree: mpsc::Sender<(TlsStream<TcpStream>, SocketAddr)>,
) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let (stream, from) = tokio::select! {
            accepted = Listener::accept(&mut listener) => accepted,
            () = agree.closed() => return,
        };
        let (acceptor, agree) = (acceptor.clone(), agree.clone());
        tokio::spawn(async move {
            match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => {
                    let _ = agree.send((stream, from)).await;
                }
                Ok(Err(error)) => debug!(%from, %error, "no keys were agreed on"),
                Err(_) => debug!(%from, "no keys were agreed on in time"),
            }
            drop(place);
        });
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.agreed.recv().await {
            Some(agreed) => agreed,
            None => {
                warn!("nobody listens any more");
                std::future::pending().await
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        Ok(self.address)
    }
}

fn server(config: &TlsConfig) -> anyhow::Result<ServerConfig> {
    let reading = |path: &Path| format!("reading {}", path.display());
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&config.certificate)
        .and_then(Iterator::collect)
        .with_context(|| reading(&config.certificate))?;
    let key = PrivateKeyDer::from_pem_file(&config.key).with_context(|| reading(&config.key))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let server = versions?.with_no_client_auth().with_single_cert(chain, key);
    server.with_context(|| {
        format!("{} is no key of {}", config.key.display(), config.certificate.display())
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::process::Command;

    use axum::Router;
    use axum::extract::ConnectInfo;
    use axum::routing::get;
    use rustls::{ClientConfig, RootCertStore};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio_rustls::TlsConnector;

    use super::*;

    /// A certificate for `localhost`, made by a program nobody here wrote.
    fn certificate(dir: &Path, name: &str) -> TlsConfig {
        let at = |suffix: &str| dir.join(format!("{name}.{suffix}"));
        let (certificate, key): (PathBuf, PathBuf) = (at("pem"), at("key"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
            .args(["-nodes", "-days", "2", "-subj", "/CN=localhost"])
            .args(["-addext", "subjectAltName=DNS:localhost"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        TlsConfig { certificate, key }
    }

    async fn ask(address: SocketAddr, trusted: &TlsConfig) -> std::io::Result<String> {
        let mut roots = RootCertStore::empty();
        for one in CertificateDer::pem_file_iter(&trusted.certificate).unwrap() {
            roots.add(one.unwrap()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let client = ClientConfig::builder_with_provider(provider);
        let client = client.with_safe_default_protocol_versions().unwrap();
        let client = client.with_root_certificates(roots).with_no_client_auth();
        let stream = TcpStream::connect(address).await?;
        let name = "localhost".try_into().unwrap();
        let mut stream = TlsConnector::from(Arc::new(client)).connect(name, stream).await?;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    async fn serve(config: &TlsConfig) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listener = TlsListener::over(listener, config).unwrap();
        let address = listener.local_addr().unwrap();
        let hello =
            |ConnectInfo(Peer(from)): ConnectInfo<Peer>| async move { from.ip().to_string() };
        let router = Router::new().route("/", get(hello));
        let service = router.into_make_service_with_connect_info::<Peer>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        address
    }

    #[tokio::test]
    async fn who_trusts_the_certificate_is_answered_while_others_dawdle_and_nobody_else_is() {
        let dir = tempfile::tempdir().unwrap();
        let (ours, other) = (certificate(dir.path(), "ours"), certificate(dir.path(), "other"));
        let address = serve(&ours).await;
        let _dawdler = TcpStream::connect(address).await.unwrap();
        let answer = ask(address, &ours).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("127.0.0.1"), "{answer}");
        assert!(ask(address, &other).await.is_err());
        let mut plain = TcpStream::connect(address).await.unwrap();
        plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        let _ended = plain.read_to_end(&mut answer).await;
        assert!(!answer.starts_with(b"HTTP"), "nothing is answered in the clear");
    }

    #[tokio::test]
    async fn a_key_of_another_certificate_is_refused_with_both_names() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (certificate(dir.path(), "one"), certificate(dir.path(), "two"));
        let mixed = TlsConfig { key: two.key, ..one.clone() };
        let error = format!("{:#}", server(&mixed).unwrap_err());
        assert!(error.contains("two.key") && error.contains("one.pem"), "{error}");
        let gone = TlsConfig { certificate: dir.path().join("gone.pem"), ..one };
        assert!(format!("{:#}", server(&gone).unwrap_err()).contains("gone.pem"));
    }
}
