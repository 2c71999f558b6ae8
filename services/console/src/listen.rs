//! How browsers reach this console: plain on this machine, by TLS (RFC 8446) from elsewhere. Whoever connects and then says
//! nothing, or never ends the head of a request, holds no connection for long.

use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::ConnectInfo;
use axum::serve::Listener;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::{debug, warn};

use crate::config::TlsConfig;

/// How many may agree on keys at once; more wait.
const AT_ONCE: usize = 256;

/// How long a connection may be of no use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Until a browser has agreed on keys.
    pub(crate) handshake: Duration,
    /// Until the head of a request has ended: from the beginning of the connection, or from the end of the answer before.
    pub(crate) head: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { handshake: Duration::from_secs(10), head: Duration::from_secs(30) }
    }
}

/// Where a request comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Answers whoever comes, until it is told to stop and what was asked before is answered.
pub(crate) async fn serve<L: Listener<Addr = SocketAddr>>(
    mut listener: L,
    router: Router,
    limits: Limits,
    mut stop: watch::Receiver<bool>,
) {
    let mut open = JoinSet::new();
    loop {
        let (io, from) = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = open.join_next() => continue,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        open.spawn(answer(io, from, router.clone(), limits.head, stop.clone()));
    }
    drop(listener);
    while open.join_next().await.is_some() {}
}

/// Answers the requests of one connection.
async fn answer<I>(
    io: I,
    from: SocketAddr,
    router: Router,
    head: Duration,
    mut stop: watch::Receiver<bool>,
) where
    I: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(Peer(from)));
        router.call(request)
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(head);
    let mut connection = http.serve_connection(TokioIo::new(io), service);
    let ended = tokio::select! {
        ended = &mut connection => Some(ended),
        _ = stop.wait_for(|stop| *stop) => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            Pin::new(&mut connection).graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(%from, %error, "a connection has ended early");
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
    pub(crate) fn over(
        listener: TcpListener,
        config: &TlsConfig,
        limits: Limits,
    ) -> anyhow::Result<Self> {
        let address = listener.local_addr()?;
        let acceptor = TlsAcceptor::from(Arc::new(server(config)?));
        let (agree, agreed) = mpsc::channel(AT_ONCE);
        tokio::spawn(accept(listener, acceptor, agree, limits.handshake));
        Ok(Self { agreed, address })
    }
}

async fn accept(
    mut listener: TcpListener,
    acceptor: TlsAcceptor,
    agree: mpsc::Sender<(TlsStream<TcpStream>, SocketAddr)>,
    limit: Duration,
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
            match tokio::time::timeout(limit, acceptor.accept(stream)).await {
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

    /// A connection on which keys are agreed.
    async fn agreed(
        address: SocketAddr,
        trusted: &TlsConfig,
    ) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
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
        TlsConnector::from(Arc::new(client)).connect(name, stream).await
    }

    async fn ask(address: SocketAddr, trusted: &TlsConfig) -> std::io::Result<String> {
        let mut stream = agreed(address, trusted).await?;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    fn hello() -> Router {
        let hello =
            |ConnectInfo(Peer(from)): ConnectInfo<Peer>| async move { from.ip().to_string() };
        Router::new().route("/", get(hello))
    }

    /// Somebody who answers; they stop when the sender is gone, or says so.
    async fn serving(tls: Option<&TlsConfig>, limits: Limits) -> (SocketAddr, watch::Sender<bool>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        match tls {
            Some(tls) => {
                let listener = TlsListener::over(listener, tls, limits).unwrap();
                tokio::spawn(serve(listener, hello(), limits, stopped));
            }
            None => {
                tokio::spawn(serve(listener, hello(), limits, stopped));
            }
        }
        (address, stop)
    }

    /// Everything that comes until the other side closes the connection.
    async fn until_closed(mut stream: impl tokio::io::AsyncRead + Unpin) -> String {
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        // Whoever is cut off in the middle of TLS is told so by an error.
        let _ended = tokio::time::timeout(Duration::from_secs(60), read).await.expect("it is open");
        String::from_utf8_lossy(&answer).into_owned()
    }

    const SHORT: Limits =
        Limits { handshake: Duration::from_millis(50), head: Duration::from_millis(50) };

    #[tokio::test]
    async fn who_says_nothing_or_never_ends_a_head_is_cut_off_and_who_asks_is_answered() {
        let connect = async |limits: Limits, words: &[u8]| {
            let (address, _stop) = serving(None, limits).await;
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(words).await.unwrap();
            until_closed(stream).await
        };
        assert_eq!(connect(SHORT, b"").await, "", "idle before its first request");
        let begun = connect(SHORT, b"GET / HTTP/1.1\r\nhost: localhost\r\nx: ").await;
        assert!(!begun.contains("127.0.0.1"), "a head that never ends: {begun}");
        let whole = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        let answered = connect(Limits::default(), whole).await;
        assert!(answered.starts_with("HTTP/1.1 200") && answered.ends_with("127.0.0.1"));
    }

    #[tokio::test]
    async fn who_agrees_on_no_keys_or_on_keys_and_then_says_nothing_is_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let ours = certificate(dir.path(), "ours");
        let (address, _stop) = serving(Some(&ours), SHORT).await;
        assert_eq!(until_closed(TcpStream::connect(address).await.unwrap()).await, "");
        let patient = Limits { handshake: Limits::default().handshake, ..SHORT };
        let (address, _stop) = serving(Some(&ours), patient).await;
        assert_eq!(until_closed(agreed(address, &ours).await.unwrap()).await, "");
    }

    #[tokio::test]
    async fn who_is_told_to_stop_closes_what_is_idle_at_once() {
        let (address, stop) = serving(None, Limits::default()).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        let mut first = [0_u8; 12];
        stream.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
        stop.send(true).unwrap();
        until_closed(stream).await;
    }

    #[tokio::test]
    async fn who_trusts_the_certificate_is_answered_while_others_dawdle_and_nobody_else_is() {
        let dir = tempfile::tempdir().unwrap();
        let (ours, other) = (certificate(dir.path(), "ours"), certificate(dir.path(), "other"));
        let (address, _stop) = serving(Some(&ours), Limits::default()).await;
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
