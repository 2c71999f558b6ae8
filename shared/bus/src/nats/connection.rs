//! The first connection.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_nats::{ConnectErrorKind, ConnectOptions, ServerAddr, jetstream};
use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::warn;

use super::link::LinkWatch;
use super::{Nats, Shared};
use crate::limits::{
    CONNECT_WAIT, JETSTREAM_TIMEOUT, LONGEST_RECONNECT_PAUSE, MAX_MESSAGE_BYTES, PING_INTERVAL,
    SERVER_TIMEOUT,
};
use crate::names::Names;
use crate::{BusError, NatsConfig};

/// Room for the headers we add and those of JetStream.
const HEADER_BYTES: usize = 8 * 1024;

impl Nats {
    /// With `patience` it goes on without a connection where there is none for long, and has it when there is one.
    pub(crate) async fn connect(config: &NatsConfig, patience: bool) -> Result<Nats, BusError> {
        config.check()?;
        let names = Names::new(&config.prefix)?;
        let changed = Arc::new(Notify::new());
        let options = options(config, &changed)?;
        let client = match first_connection(config, options.clone()).await {
            Ok(client) => {
                check_server(config, &client)?;
                client
            }
            Err(Failed { last: false, .. }) if patience => connect_later(config, options).await?,
            Err(Failed { error, .. }) => return Err(error),
        };
        let jetstream = jetstream::ContextBuilder::new()
            .timeout(JETSTREAM_TIMEOUT)
            .ack_timeout(JETSTREAM_TIMEOUT)
            .backpressure_on_inflight(true)
            .build(client.clone());
        let link = LinkWatch::start(client.clone(), changed);
        let (limits, replicas) = (config.limits, usize::from(config.replicas));
        let shared = Shared { client, jetstream, names, limits, replicas, link };
        Ok(Nats { shared: Arc::new(shared) })
    }
}

/// There is no connection.
struct Failed {
    error: BusError,
    /// It makes no sense to try again.
    last: bool,
}

/// The client tries on by itself.
async fn connect_later(
    config: &NatsConfig,
    options: ConnectOptions,
) -> Result<async_nats::Client, BusError> {
    warn!(url = %config.url, "nobody is there; going on without, and trying again");
    let options = options.retry_on_initial_connect();
    let connected = options.connect(servers(config)?).await;
    connected.map_err(|error| cannot_connect(config, error.to_string()))
}

/// A server that is just starting gets its time; one that does not know us is not asked again.
async fn first_connection(
    config: &NatsConfig,
    options: ConnectOptions,
) -> Result<async_nats::Client, Failed> {
    let servers = servers(config).map_err(|error| Failed { error, last: true })?;
    let deadline = Instant::now() + CONNECT_WAIT;
    let mut pause = Duration::from_millis(50);
    loop {
        let error = match options.clone().connect(servers.clone()).await {
            Ok(client) => return Ok(client),
            Err(error) => error,
        };
        let last = is_final(error.kind());
        if last || Instant::now() + pause >= deadline {
            let error = cannot_connect(config, error.to_string());
            return Err(Failed { error, last });
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}

fn is_final(kind: ConnectErrorKind) -> bool {
    match kind {
        ConnectErrorKind::ServerParse
        | ConnectErrorKind::Authentication
        | ConnectErrorKind::AuthorizationViolation
        | ConnectErrorKind::Tls => true,
        ConnectErrorKind::Dns
        | ConnectErrorKind::TimedOut
        | ConnectErrorKind::Io
        | ConnectErrorKind::MaxReconnects => false,
    }
}

fn servers(config: &NatsConfig) -> Result<Vec<ServerAddr>, BusError> {
    let parse = |one: &str| {
        one.trim().parse().map_err(|error| BusError::Config {
            field: "url",
            reason: format!("{one:?} is not an address such as nats://host:4222 ({error})"),
        })
    };
    config.url.split(',').map(parse).collect()
}

fn options(config: &NatsConfig, changed: &Arc<Notify>) -> Result<ConnectOptions, BusError> {
    let changed = changed.clone();
    let mut options = ConnectOptions::new()
        .name(&config.name)
        .connection_timeout(SERVER_TIMEOUT)
        .ping_interval(PING_INTERVAL)
        .reconnect_delay_callback(reconnect_pause)
        .event_callback(move |_event| {
            changed.notify_one();
            std::future::ready(())
        });
    if let Some(file) = &config.credentials_file {
        options = with_credentials(options, file)?;
    }
    if let Some(file) = &config.ca_file {
        options = options.add_root_certificates(file.clone());
    }
    if let (Some(certificate), Some(key)) = (&config.certificate_file, &config.key_file) {
        options = options.add_client_certificate(certificate.clone(), key.clone());
    }
    Ok(options)
}

/// Doubles from nothing to [`LONGEST_RECONNECT_PAUSE`].
fn reconnect_pause(attempts: usize) -> Duration {
    let doubled = u32::try_from(attempts.saturating_sub(1)).unwrap_or(u32::MAX).min(12);
    if doubled == 0 {
        return Duration::ZERO;
    }
    Duration::from_millis(5 << doubled).min(LONGEST_RECONNECT_PAUSE)
}

fn with_credentials(options: ConnectOptions, file: &Path) -> Result<ConnectOptions, BusError> {
    let wrong = |reason: &str| BusError::Config {
        field: "credentials_file",
        reason: format!("{}: {reason}", file.display()),
    };
    let text = std::fs::read_to_string(file).map_err(|error| wrong(&error.to_string()))?;
    let line = text.trim();
    if line.is_empty() || line.lines().count() > 1 {
        return Err(wrong("it must hold one line, user:password or a token"));
    }
    Ok(match line.split_once(':') {
        Some((user, password)) => options.user_and_password(user.to_owned(), password.to_owned()),
        None => options.token(line.to_owned()),
    })
}

fn check_server(config: &NatsConfig, client: &async_nats::Client) -> Result<(), BusError> {
    let takes = client.server_info().max_payload;
    let needed = MAX_MESSAGE_BYTES + HEADER_BYTES;
    if takes >= needed {
        return Ok(());
    }
    let reason = format!("it takes messages of {takes} bytes only: set its max_payload to 1MB");
    Err(cannot_connect(config, reason))
}

fn cannot_connect(config: &NatsConfig, reason: String) -> BusError {
    BusError::Connect { url: config.url.clone(), reason }
}
