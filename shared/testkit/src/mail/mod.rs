//! Mail servers: `aiosmtpd`, which nobody here wrote, and one that does what a script says.
//!
//! What [`MailServer`] answers depends on the part of the recipient's address before the `@`:
//!
//! | local part | answer |
//! |---|---|
//! | `unknown` | 550 5.1.1 to `RCPT` |
//! | `full` | 452 4.2.2 to `RCPT` |
//! | `relay` | 554 5.7.1 to `RCPT` |
//! | `grey` | 451 4.7.1 to the first `RCPT` of an address, then it is taken |
//! | `spam` | 554 5.7.1 to the message |
//! | `late` | 451 4.3.0 to the message |
//! | `gone` | the message is kept, and the connection ends without an answer |
//! | others | the message is kept |

mod scripted;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use serde_json::{Value, json};
use tempfile::TempDir;

pub use scripted::{Act, Scripted};

use crate::process::Daemon;
use crate::storage::{run, start};

/// How clients reach a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MailTls {
    /// Without encryption.
    #[default]
    None,
    /// After `STARTTLS`, and not before.
    StartTls,
    /// From the first byte on.
    Wrapper,
}

/// How a server is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MailOptions {
    /// How clients reach it. Its certificate is for `127.0.0.1` and `localhost`.
    pub tls: MailTls,
    /// The only mechanism with which it lets the user `decklog` in with the password `horse`: `PLAIN` or `LOGIN`.
    pub login: Option<&'static str>,
    /// Most bytes of a message, which it tells; without, 32 MiB.
    pub size: Option<u64>,
}

/// A message that was taken.
#[derive(Debug, Clone)]
pub struct Received {
    /// What was said around it: `from`, `to`, `mail_options`, `tls`, `login`, `hello`.
    pub envelope: Value,
    /// The message as it came, dots undone.
    pub content: Vec<u8>,
    place: PathBuf,
}

impl Received {
    /// What Python's `email` package finds in it: `subject`, `from`, `to` (each `name` and `address`), `id`, `date`,
    /// `headers`, `parts` (each `type`, `filename`, `content` in base64, …), `defects`, the `longest` line, whether it is
    /// `ascii`, and how many line ends are `bare`.
    ///
    /// # Errors
    /// If it is no message.
    pub fn parsed(&self) -> anyhow::Result<Value> {
        let mut python = Command::new(environment().join("bin/python"));
        python.args(["-c", include_str!("parse.py")]).arg(&self.place);
        Ok(serde_json::from_str(&run(&mut python)?)?)
    }
}

/// A running server that keeps what it takes.
#[derive(Debug)]
pub struct MailServer {
    dir: TempDir,
    port: u16,
    _daemon: Daemon,
}

impl MailServer {
    /// Starts one without mail.
    ///
    /// # Errors
    /// If aiosmtpd (or `openssl`, for TLS) is missing or it does not come up.
    pub fn start(options: MailOptions) -> anyhow::Result<MailServer> {
        let dir = tempfile::Builder::new().prefix("decklog-mail-").tempdir()?;
        if options.tls != MailTls::None {
            make_certificate(dir.path())?;
        }
        std::fs::create_dir(dir.path().join("mail"))?;
        let (daemon, port) = start(|port| command(dir.path(), options, port))?;
        Ok(MailServer { dir, port, _daemon: daemon })
    }

    /// Where it listens on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate that vouches for it, where it speaks TLS.
    pub fn ca_file(&self) -> PathBuf {
        self.dir.path().join("cert.pem")
    }

    /// Everything it took, in order.
    ///
    /// # Errors
    /// If the files cannot be read.
    pub fn received(&self) -> anyhow::Result<Vec<Received>> {
        let mail = self.dir.path().join("mail");
        let entries = std::fs::read_dir(&mail)?.collect::<Result<Vec<_>, _>>()?;
        let mut places: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
        places.retain(|place| place.extension().is_some_and(|extension| extension == "json"));
        places.sort();
        places.iter().map(|place| read(place)).collect()
    }
}

fn read(about: &Path) -> anyhow::Result<Received> {
    let envelope = serde_json::from_slice(&std::fs::read(about)?)?;
    let place = about.with_extension("eml");
    let content = std::fs::read(&place).context("a message without its bytes")?;
    Ok(Received { envelope, content, place })
}

/// Where `ops/dev/setup` puts aiosmtpd, unless `DECKLOG_MAIL` names another Python environment.
fn environment() -> PathBuf {
    if let Some(named) = std::env::var_os("DECKLOG_MAIL") {
        return named.into();
    }
    crate::installed::place("mail")
}

fn command(dir: &Path, options: MailOptions, port: u16) -> Command {
    let tls = match options.tls {
        MailTls::None => Value::Null,
        MailTls::StartTls => json!("starttls"),
        MailTls::Wrapper => json!("wrapper"),
    };
    let said = json!({
        "dir": dir.join("mail"),
        "port": port,
        "tls": tls,
        "cert": dir.join("cert.pem"),
        "key": dir.join("key.pem"),
        "login": options.login,
        "size": options.size.unwrap_or(32 << 20),
    });
    let mut python = Command::new(environment().join("bin/python"));
    python.args(["-c", include_str!("server.py"), &said.to_string()]);
    python
}

fn make_certificate(dir: &Path) -> anyhow::Result<()> {
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    openssl.args(["-nodes", "-days", "2", "-subj", "/CN=mail"]);
    openssl.args(["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]);
    openssl.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    openssl.arg("-keyout").arg(dir.join("key.pem")).arg("-out").arg(dir.join("cert.pem"));
    run(&mut openssl).map(drop)
}
