//! A server that speaks SFTP (version 3), over the program `ssh`: keys, names and jumps are ssh's matter.
//!
//! Files are written under another name, synced where the server can (`fsync@openssh.com`), and renamed. A session that
//! is lost is opened again.

use std::future::Future;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use openssh_sftp_client::error::SftpErrorKind;
use openssh_sftp_client::file::TokioCompatFile;
use openssh_sftp_client::fs::Fs;
use openssh_sftp_client::{Error, Sftp as Session, SftpOptions};
use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::runtime::{Builder, Runtime};

use super::location::Server;
use super::{Dir, Mode, Name, Object, Storage, UNFINISHED, is_abandoned};
use crate::context::{Cancel, lock};

/// How often a session is opened for one thing to do: it takes a minute.
const TRIES: u32 = 8;
/// How long after the first try; each time twice as long.
const PAUSE: Duration = Duration::from_millis(500);
/// Longest pause.
const LONGEST: Duration = Duration::from_secs(30);
/// How long one thing may take: a server that is there and whose disk is not would else hold everything for ever.
const LONG: Duration = Duration::from_secs(600);
/// How often somebody looks whether it was told to stop.
const LOOK: Duration = Duration::from_millis(100);
/// Most bytes that are kept of what ssh says.
const MOST_SAID: u64 = 4 << 10;
/// How many directories of packs are listed at once.
const AT_ONCE: usize = 16;

/// What ssh gets of this process' environment: no password of a repository is among it.
const VARIABLES: [&str; 6] = ["PATH", "HOME", "USER", "LOGNAME", "LANG", "SSH_AUTH_SOCK"];

/// What is done about everything: no questions, and a server that is gone is noticed.
const OPTIONS: [&str; 8] = [
    "-o",
    "BatchMode=yes",
    "-o",
    "ServerAliveInterval=30",
    "-o",
    "ServerAliveCountMax=4",
    "-o",
    "ConnectTimeout=30",
];

/// The files of a repository on a server.
pub(super) struct Sftp {
    server: Server,
    config: Option<PathBuf>,
    cancel: Cancel,
    runtime: Runtime,
    line: Mutex<Option<Arc<Line>>>,
    written: AtomicU64,
}

/// An open session.
struct Line {
    session: Session,
    /// Ends with the session.
    _ssh: Child,
}

impl Sftp {
    /// The directory of a server; `config` is a file for `ssh -F`.
    pub(super) fn new(server: Server, config: Option<PathBuf>, cancel: Cancel) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let (line, written) = (Mutex::default(), AtomicU64::new(0));
        let sftp = Self { server, config, cancel, runtime, line, written };
        sftp.line()?;
        Ok(sftp)
    }

    /// The session, opened if there is none.
    fn line(&self) -> io::Result<Arc<Line>> {
        let mut line = lock(&self.line);
        if let Some(open) = line.as_ref() {
            return Ok(open.clone());
        }
        let opened = Arc::new(self.in_time(self.connect())??);
        *line = Some(opened.clone());
        Ok(opened)
    }

    async fn connect(&self) -> io::Result<Line> {
        let mut ssh = self.ssh().spawn().map_err(|error| {
            io::Error::new(error.kind(), format!("starting ssh: {error}; install OpenSSH's client"))
        })?;
        let said = ssh.stderr.take().map(listen);
        let lost = || io::Error::other("ssh has no pipes");
        let (stdin, stdout) = ssh.stdin.take().zip(ssh.stdout.take()).ok_or_else(lost)?;
        match Session::new(stdin, stdout, SftpOptions::new()).await {
            Ok(session) => Ok(Line { session, _ssh: ssh }),
            Err(error) => {
                let _ = ssh.kill().await;
                let said = said.and_then(|said| said.join().ok()).unwrap_or_default();
                let why = if said.is_empty() { error.to_string() } else { said };
                let text = format!("ssh {} cannot open a session: {why}", self.server.host);
                Err(io::Error::new(io::ErrorKind::NotConnected, text))
            }
        }
    }

    fn ssh(&self) -> Command {
        let mut command = Command::new("ssh");
        command.env_clear().envs(std::env::vars().filter(|(n, _)| VARIABLES.contains(&n.as_str())));
        if let Some(config) = &self.config {
            command.arg("-F").arg(config);
        }
        command.args(OPTIONS);
        if let Some(port) = self.server.port {
            command.arg("-p").arg(port.to_string());
        }
        if let Some(user) = &self.server.user {
            command.arg("-l").arg(user);
        }
        command.args(["-s", "--", &self.server.host, "sftp"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.kill_on_drop(true);
        command
    }

    /// Does something in a session. When the session is lost another one is opened and it is done again: everything
    /// here may be done twice.
    fn with<T>(&self, work: impl AsyncFn(&Session) -> Result<T, Error>) -> io::Result<T> {
        let mut pause = PAUSE;
        for try_ in 1.. {
            let done = match self.line() {
                Ok(line) => match self.in_time(work(&line.session)) {
                    Ok(done) => done.map_err(|error| (plain(error), line)),
                    Err(error) => Err((error, line)),
                },
                Err(error) if try_ >= TRIES => return Err(error),
                Err(_) => {
                    self.wait(pause)?;
                    pause = (pause * 2).min(LONGEST);
                    continue;
                }
            };
            match done {
                Ok(done) => return Ok(done),
                Err((error, line)) if is_lost(&error) && try_ < TRIES => self.hang_up(&line),
                Err((error, _)) => return Err(error),
            }
            self.wait(pause)?;
            pause = (pause * 2).min(LONGEST);
        }
        Err(io::ErrorKind::NotConnected.into())
    }

    /// Waits for something, unless it takes too long or all is to stop.
    fn in_time<T>(&self, work: impl Future<Output = T>) -> io::Result<T> {
        let stopped = async {
            while !self.cancel.is_cancelled() {
                tokio::time::sleep(LOOK).await;
            }
        };
        self.runtime.block_on(async {
            tokio::select! {
                done = tokio::time::timeout(LONG, work) => done.map_err(|_| {
                    let why = format!("the server said nothing for {} s", LONG.as_secs());
                    io::Error::new(io::ErrorKind::NotConnected, why)
                }),
                () = stopped => {
                    Err(io::Error::new(io::ErrorKind::Interrupted, crate::context::CANCELLED))
                }
            }
        })
    }

    /// Forgets a session that is lost, unless another thread has opened a new one.
    fn hang_up(&self, lost: &Arc<Line>) {
        let mut line = lock(&self.line);
        if line.as_ref().is_some_and(|line| Arc::ptr_eq(line, lost)) {
            *line = None;
        }
    }

    fn wait(&self, pause: Duration) -> io::Result<()> {
        let until = std::time::Instant::now() + pause;
        while std::time::Instant::now() < until {
            if self.cancel.is_cancelled() {
                return Err(io::Error::new(io::ErrorKind::Interrupted, crate::context::CANCELLED));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn place(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("{}/{path}", self.server.path))
    }

    fn unfinished(&self, name: &Name) -> PathBuf {
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        self.place(&format!("{}{UNFINISHED}{}-{number}", name.path(), std::process::id()))
    }

    /// The directories of packs that are there.
    async fn shards(&self, session: &Session) -> Result<Vec<PathBuf>, Error> {
        let top = self.place(Dir::Data.word());
        let all = entries(&mut session.fs(), top.clone()).await?;
        let shards = all.into_iter().filter(|one| one.is_dir).map(|one| top.join(one.name));
        Ok(shards.collect())
    }

    async fn holders(&self, session: &Session, dir: Dir) -> Result<Vec<PathBuf>, Error> {
        match dir {
            Dir::Data => self.shards(session).await,
            Dir::Config | Dir::Keys | Dir::Index | Dir::Snapshots | Dir::Locks => {
                Ok(vec![self.place(dir.word())])
            }
        }
    }

    async fn all(&self, session: &Session, dir: Dir) -> Result<Vec<(PathBuf, Entry)>, Error> {
        let holders = self.holders(session, dir).await?;
        let listing = holders.into_iter().map(|holder| async move {
            let found = entries(&mut session.fs(), holder.clone()).await?;
            Ok::<_, Error>(found.into_iter().map(|one| (holder.clone(), one)).collect::<Vec<_>>())
        });
        let mut listing = futures_util::stream::iter(listing).buffer_unordered(AT_ONCE);
        let mut found = Vec::new();
        while let Some(part) = listing.next().await {
            found.extend(part?);
        }
        Ok(found)
    }
}

/// What is in a directory.
struct Entry {
    name: String,
    size: u64,
    is_dir: bool,
    changed: Option<SystemTime>,
}

/// The entries of a directory; none where it is not there.
async fn entries(fs: &mut Fs, dir: PathBuf) -> Result<Vec<Entry>, Error> {
    let listing = match fs.open_dir(dir).await {
        Ok(dir) => dir.read_dir(),
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut listing = std::pin::pin!(listing);
    let mut found = Vec::new();
    while let Some(entry) = listing.next().await {
        let entry = entry?;
        let Some(name) = entry.filename().to_str().map(str::to_owned) else { continue };
        if name == "." || name == ".." {
            continue;
        }
        let meta = entry.metadata();
        let is_dir = meta.file_type().is_some_and(|kind| kind.is_dir());
        let changed = meta.modified().map(|time| time.as_system_time());
        found.push(Entry { name, size: meta.len().unwrap_or(0), is_dir, changed });
    }
    Ok(found)
}

/// Makes a directory and those above it.
async fn make_dir(fs: &mut Fs, dir: &std::path::Path) -> Result<(), Error> {
    let mut missing = vec![dir.to_owned()];
    while let Some(next) = missing.pop() {
        match fs.create_dir(&next).await {
            Ok(()) => {}
            Err(error) if is_absent(&error) => {
                let Some(parent) = next.parent().filter(|p| !p.as_os_str().is_empty()) else {
                    return Err(error);
                };
                let parent = parent.to_owned();
                missing.push(next);
                missing.push(parent);
            }
            // SFTP has no word for "is there already".
            Err(error) => match fs.metadata(&next).await {
                Ok(meta) if meta.file_type().is_some_and(|kind| kind.is_dir()) => {}
                Ok(_) | Err(_) => return Err(error),
            },
        }
    }
    Ok(())
}

/// Writes a file and has the server sync it.
async fn write_whole(session: &Session, place: &PathBuf, content: &[Bytes]) -> Result<(), Error> {
    let file = session.options().write(true).create_new(true).open(place).await?;
    let mut file = Box::pin(TokioCompatFile::new(file));
    for bytes in content {
        file.write_all(bytes).await?;
    }
    file.flush().await?;
    file.shutdown().await?;
    if session.support_fsync() {
        // Any handle of a file syncs all that was written to it.
        let mut file = session.options().write(true).open(place).await?;
        file.sync_all().await?;
        file.close().await?;
    }
    Ok(())
}

/// Says what ssh says, and keeps the beginning of it.
fn listen(stderr: tokio::process::ChildStderr) -> std::thread::JoinHandle<String> {
    let file = stderr.into_owned_fd().map(std::fs::File::from);
    std::thread::spawn(move || {
        let Ok(mut file) = file else { return String::new() };
        let mut said = Vec::new();
        let _ = file.by_ref().take(MOST_SAID).read_to_end(&mut said);
        // Whoever does not listen to the rest would stop it.
        let _ = io::copy(&mut file, &mut io::sink());
        String::from_utf8_lossy(&said).split_whitespace().collect::<Vec<_>>().join(" ")
    })
}

fn is_absent(error: &Error) -> bool {
    matches!(error, Error::SftpError(SftpErrorKind::NoSuchFile, _))
}

/// Whether the session is lost: what the server has said about a file is not that.
fn is_lost(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotConnected
}

/// The error of a file: what the server has said of it, or else that the session is lost.
fn plain(error: Error) -> io::Error {
    io::Error::new(kind(&error), error.to_string())
}

fn kind(error: &Error) -> io::ErrorKind {
    if is_absent(error) {
        return io::ErrorKind::NotFound;
    }
    if matches!(error, Error::SftpError(SftpErrorKind::PermDenied, _)) {
        return io::ErrorKind::PermissionDenied;
    }
    if let Error::IOError(error) = error {
        // A file written through the library's own file has what the server said inside.
        let inside = error.get_ref().and_then(|inside| inside.downcast_ref::<Error>());
        return match inside {
            Some(inside) => kind(inside),
            None if error.kind() == io::ErrorKind::UnexpectedEof => error.kind(),
            None => io::ErrorKind::NotConnected,
        };
    }
    let of_the_file = matches!(error, Error::SftpError(_, _) | Error::UnsupportedExtension(_));
    if of_the_file { io::ErrorKind::Other } else { io::ErrorKind::NotConnected }
}

impl Storage for Sftp {
    fn list(&self, dir: Dir) -> io::Result<Vec<Object>> {
        let all = self.with(async |session| self.all(session, dir).await)?;
        let files = all.into_iter().filter(|(_, entry)| !entry.is_dir);
        let object =
            |entry: Entry| Object { name: entry.name, size: entry.size, changed: entry.changed };
        Ok(files.map(|(_, entry)| object(entry)).collect())
    }

    fn has(&self, name: &Name) -> io::Result<bool> {
        let place = self.place(&name.path());
        self.with(async |session| match session.fs().metadata(&place).await {
            Ok(_) => Ok(true),
            Err(error) if is_absent(&error) => Ok(false),
            Err(error) => Err(error),
        })
    }

    fn read(&self, name: &Name, range: Option<(u64, u64)>) -> io::Result<Bytes> {
        let place = self.place(&name.path());
        self.with(async |session| {
            let Some((first, count)) = range else {
                return session.fs().read(&place).await.map(BytesMut::freeze);
            };
            let mut file = session.options().read(true).open(&place).await?;
            file.seek(io::SeekFrom::Start(first)).await?;
            let count = usize::try_from(count)?;
            let bytes = file.read_all(count, BytesMut::with_capacity(count)).await?;
            file.close().await?;
            Ok(bytes.freeze())
        })
    }

    fn write(&self, name: &Name, content: &[Bytes], mode: Mode) -> io::Result<()> {
        let place = self.place(&name.path());
        let written = self.with(async |session| {
            let unfinished = self.unfinished(name);
            let mut fs = session.fs();
            match write_whole(session, &unfinished, content).await {
                Err(error) if is_absent(&error) => {
                    let parent = place.parent().map(std::path::Path::to_owned).unwrap_or_default();
                    make_dir(&mut fs, &parent).await?;
                    write_whole(session, &unfinished, content).await?;
                }
                written => written?,
            }
            let named = match mode {
                Mode::Replace => fs.rename(&unfinished, &place).await,
                Mode::New => fs.hard_link(&unfinished, &place).await,
            };
            if named.is_err() || mode == Mode::New {
                let _ = fs.remove_file(&unfinished).await;
            }
            named
        });
        written.map_err(|error| {
            // SFTP has no word for "is there already".
            let there = mode == Mode::New && !is_lost(&error) && self.has(name).unwrap_or(false);
            if there { io::ErrorKind::AlreadyExists.into() } else { error }
        })
    }

    /// What is gone already was removed by a try whose answer was lost.
    fn remove(&self, name: &Name) -> io::Result<()> {
        let place = self.place(&name.path());
        self.with(async |session| match session.fs().remove_file(&place).await {
            Err(error) if is_absent(&error) => Ok(()),
            done => done,
        })
    }

    fn prepare(&self) -> io::Result<()> {
        self.with(async |session| {
            for dir in [Dir::Keys, Dir::Index, Dir::Snapshots, Dir::Data, Dir::Locks] {
                make_dir(&mut session.fs(), &self.place(dir.word())).await?;
            }
            Ok(())
        })
    }

    fn set_aside(&self, name: &Name) -> io::Result<bool> {
        let place = self.place(&name.path());
        let aside = place.with_extension("torn");
        self.with(async |session| session.fs().rename(&place, &aside).await).map(|()| true)
    }

    fn tidy(&self) -> io::Result<()> {
        self.with(async |session| {
            for dir in [Dir::Snapshots, Dir::Index, Dir::Data] {
                for (holder, entry) in self.all(session, dir).await? {
                    if is_abandoned(&entry.name, entry.changed) {
                        match session.fs().remove_file(holder.join(entry.name)).await {
                            Err(error) if is_absent(&error) => {}
                            removed => removed?,
                        }
                    }
                }
            }
            Ok(())
        })
    }
}
