//! A time-stamping authority (RFC 3161) that somebody else wrote: `openssl ts`, with a root of its own, and a server over HTTP
//! that hands out what it says.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context as _, bail};
use tempfile::TempDir;

use crate::RUN_SETUP;

const SETTINGS: &str = "[tsa]\ndefault_tsa = one\n[one]\nserial = serial\ndefault_policy = 1.2.3.4.1\n\
                        digests = sha256\naccuracy = secs:1\nsigner_digest = sha256\n";
/// What the certificate of an authority is for, as it must be.
pub const FOR_TIME_STAMPS: &str = "critical,timeStamping";
/// The authority's usual signer.
pub const USUAL: &str = "usual";
/// The object identifier of what an authority signs.
const TST_INFO: &str = "1.2.840.113549.1.9.16.1.4";
/// The longest question that is read, in bytes.
const QUESTION_BYTES_MAX: usize = 4_096;

/// Keys that authorities have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// RSA, 2048 bits.
    Rsa,
    /// ECDSA over P-256.
    P256,
    /// ECDSA over P-384.
    P384,
}

/// An authority in a directory of its own.
#[derive(Debug)]
pub struct Authority {
    dir: TempDir,
    made: AtomicU64,
}

impl Authority {
    /// A root, and a signer whose certificate is from it.
    ///
    /// # Errors
    /// There is no openssl, or it fails.
    pub fn new() -> anyhow::Result<Self> {
        let authority = Self { dir: tempfile::tempdir()?, made: AtomicU64::new(0) };
        fs::write(authority.place("ts.cnf"), SETTINGS)?;
        let made = ["-keyout", "root.key", "-out", "root.pem", "-subj", "/CN=Test Root"];
        let usage = ["-addext", "basicConstraints=critical,CA:TRUE", "-newkey", "rsa:2048"];
        authority.openssl(
            ["req", "-x509", "-nodes", "-days", "9000"].iter().chain(&made).chain(&usage),
        )?;
        authority.signer(USUAL, Key::P256, FOR_TIME_STAMPS)?;
        Ok(authority)
    }

    /// The file of its root.
    #[must_use]
    pub fn roots(&self) -> PathBuf {
        self.place("root.pem")
    }

    /// Makes a signer, whose certificate is for `usage` (as openssl writes an extended key usage), and is called by its name.
    ///
    /// # Errors
    /// openssl fails.
    pub fn signer(&self, name: &str, key: Key, usage: &str) -> anyhow::Result<()> {
        let (file, certificate) = (format!("{name}.key"), format!("{name}.pem"));
        let (subject, usage) = (format!("/O=Test/CN={name}"), format!("extendedKeyUsage={usage}"));
        let key: &[&str] = match key {
            Key::Rsa => &["-newkey", "rsa:2048"],
            Key::P256 => &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
            Key::P384 => &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
        };
        let from =
            ["req", "-x509", "-nodes", "-days", "3000", "-CA", "root.pem", "-CAkey", "root.key"];
        let made = ["-keyout", &file, "-out", &certificate, "-subj", &subject, "-addext", &usage];
        let plain = ["-addext", "basicConstraints=critical,CA:FALSE"];
        self.openssl(from.iter().chain(key).chain(&made).chain(&plain))
    }

    /// What a signer answers to a question, by this machine's clock.
    ///
    /// # Errors
    /// openssl fails.
    pub fn answer(&self, signer: &str, question: &[u8]) -> anyhow::Result<Vec<u8>> {
        let (asked, answered) = (self.fresh(), self.fresh());
        fs::write(self.place(&asked), question)?;
        let (certificate, key) = (format!("{signer}.pem"), format!("{signer}.key"));
        let by =
            ["-config", "ts.cnf", "-chain", "root.pem", "-signer", &certificate, "-inkey", &key];
        let files = ["-queryfile", &asked, "-out", &answered];
        self.openssl(["ts", "-reply"].iter().chain(&by).chain(&files))?;
        Ok(fs::read(self.place(&answered))?)
    }

    /// The statement in an answer.
    ///
    /// # Errors
    /// openssl fails.
    pub fn statement(&self, answer: &[u8]) -> anyhow::Result<Vec<u8>> {
        let (whole, token, statement) = (self.fresh(), self.fresh(), self.fresh());
        fs::write(self.place(&whole), answer)?;
        self.openssl(&["ts", "-reply", "-in", &whole, "-token_out", "-out", &token])?;
        let verify = ["cms", "-verify", "-noverify", "-inform", "DER"];
        self.openssl(verify.iter().chain(&["-in", &token, "-out", &statement]))?;
        Ok(fs::read(self.place(&statement))?)
    }

    /// An answer with whatever statement, signed by whatever signer: what an authority would not do.
    ///
    /// # Errors
    /// openssl fails.
    pub fn signed(&self, signer: &str, statement: &[u8]) -> anyhow::Result<Vec<u8>> {
        let (plain, token) = (self.fresh(), self.fresh());
        fs::write(self.place(&plain), statement)?;
        let (certificate, key) = (format!("{signer}.pem"), format!("{signer}.key"));
        let how = ["cms", "-sign", "-binary", "-nodetach", "-cades", "-outform", "DER"];
        let by = ["-certfile", "root.pem", "-signer", &certificate, "-inkey", &key];
        let what = ["-econtent_type", TST_INFO, "-in", &plain, "-out", &token];
        self.openssl(how.iter().chain(&by).chain(&what))?;
        let token = fs::read(self.place(&token))?;
        // A sequence of the status `granted` and the token.
        let length = u16::try_from(token.len() + 5)?.to_be_bytes();
        Ok([&[0x30, 0x82][..], &length, &[0x30, 3, 2, 1, 0], &token].concat())
    }

    /// Whether openssl believes an answer over some data.
    #[must_use]
    pub fn is_believed(&self, answer: &Path, data: &Path) -> bool {
        let mut command = Command::new("openssl");
        command.args(["ts", "-verify", "-CAfile"]).arg(self.roots());
        let said = command.arg("-in").arg(answer).arg("-data").arg(data).output();
        said.is_ok_and(|said| said.status.success())
    }

    fn place(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn fresh(&self) -> String {
        format!("file-{}", self.made.fetch_add(1, Ordering::Relaxed))
    }

    fn openssl<'a>(&self, arguments: impl IntoIterator<Item = &'a &'a str>) -> anyhow::Result<()> {
        let mut command = Command::new("openssl");
        command.args(arguments).current_dir(self.dir.path());
        let said = command.output().with_context(|| format!("starting openssl: {RUN_SETUP}"))?;
        if said.status.success() {
            return Ok(());
        }
        bail!("{command:?}: {}", String::from_utf8_lossy(&said.stderr))
    }
}

/// An authority that is asked over HTTP, on a loopback port.
#[derive(Debug)]
pub struct Served {
    address: SocketAddr,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    /// Serves what the usual signer says; the first answer is to another question, as somebody between could send one.
    ///
    /// # Errors
    /// There is no port.
    pub fn new(authority: Arc<Authority>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let (address, ends) = (listener.local_addr()?, Arc::new(AtomicBool::new(false)));
        let until = Arc::clone(&ends);
        let thread = std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                if until.load(Ordering::SeqCst) {
                    return;
                }
                // Whoever asks sees that nothing came.
                let _ =
                    stream.map_err(Into::into).and_then(|one| serve(&authority, one, number == 0));
            }
        });
        Ok(Self { address, ends, thread: Some(thread) })
    }

    /// Where it is asked.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/tsr", self.address)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        // It waits for somebody.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(authority: &Authority, stream: TcpStream, otherwise: bool) -> anyhow::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut length, mut is_query) = (0, false);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim().to_ascii_lowercase();
        match line.split_once(": ") {
            Some(("content-length", value)) => length = value.parse()?,
            Some(("content-type", value)) => is_query = value == "application/timestamp-query",
            Some(_) | None if line.is_empty() => break,
            Some(_) | None => {}
        }
    }
    anyhow::ensure!(is_query && length <= QUESTION_BYTES_MAX, "it is no question");
    let mut question = vec![0; length];
    reader.read_exact(&mut question)?;
    if otherwise {
        // The nonce stands in front of the last three bytes.
        let at = length.saturating_sub(4);
        question.get_mut(at).into_iter().for_each(|byte| *byte ^= 1);
    }
    let answer = authority.answer(USUAL, &question)?;
    let mut stream = stream;
    let length = answer.len();
    let kind = "application/timestamp-reply";
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    )?;
    Ok(stream.write_all(&answer)?)
}
