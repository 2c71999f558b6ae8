//! A host joins by one line that somebody was shown at a console: it asks to be let in with a key of its own, and has a
//! configuration by which nothing may run yet. Nothing is written where it is not let in, but its key.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use bus::recorder::append;
use bus::{Bus, NatsConfig};
use domain::ids::ProducerId;
use domain::wire::{AppendAnswer, AppendRequest, Enrol};
use toml::Value;

use crate::service::own_file;

/// How it is called.
pub const USAGE: &str = "\
       decklog-executor join NATS-URL HOST CODE [--dir DIR] [--data DIR] [--prefix WORD]
                        [--credentials FILE] [--ca FILE] [--key-number N]

Lets this host in by a code that a console shows for 15 minutes (page Hosts, or decklog host invite), and writes
executor.toml and allow.toml into DIR (default /etc/decklog): nothing may run here until allow.toml says so.";

/// What allow.toml says at first.
const ALLOW: &str = "\
# What may run on this host, and as whom. Nobody changes this file from elsewhere; the executor reads it when it starts.
# Nothing may run until something stands here, such as:
#
# [[allow]]
# program = \"/usr/local/bin/*\"
# user = \"backup\"
";

/// How long it tries where the recorder is busy.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it rests between two tries.
const AGAIN: Duration = Duration::from_millis(500);

/// What somebody pasted.
#[derive(Debug)]
pub struct Join {
    nats: NatsConfig,
    host: String,
    code: String,
    dir: PathBuf,
    data: PathBuf,
    /// Which key of the host it is, from 1.
    key_number: u32,
}

impl Join {
    /// Reads the words behind `join`.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn read(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut plain, mut nats) = (Vec::new(), NatsConfig::new(""));
        let mut dir = PathBuf::from("/etc/decklog");
        let mut data = PathBuf::from("/var/lib/decklog-executor");
        let mut key_number = 1;
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--dir" => dir = value()?.into(),
                "--data" => data = value()?.into(),
                "--prefix" => nats.prefix = value()?,
                "--credentials" => nats.credentials_file = Some(value()?.into()),
                "--ca" => nats.ca_file = Some(value()?.into()),
                "--key-number" => {
                    let text = value()?;
                    let number = text.parse().ok().filter(|number| *number > 0);
                    key_number =
                        number.ok_or_else(|| format!("--key-number {text}: a number from 1"))?;
                }
                other if other.starts_with("--") => return Err(format!("{other} is not known")),
                _ => plain.push(word),
            }
        }
        let [url, host, code] = plain.try_into().map_err(|plain: Vec<String>| {
            format!("join needs an address, a name and a code, and not {} words", plain.len())
        })?;
        domain::ids::check_name("host", &host).map_err(|error| error.to_string())?;
        nats.url = url;
        // The service runs in another directory than whoever pastes this.
        let whole = |path: PathBuf| std::path::absolute(&path).map_err(|error| error.to_string());
        nats.credentials_file = nats.credentials_file.map(whole).transpose()?;
        nats.ca_file = nats.ca_file.map(whole).transpose()?;
        Ok(Self { nats, host, code, dir: whole(dir)?, data: whole(data)?, key_number })
    }

    /// Lets the host in; what to do next.
    ///
    /// # Errors
    /// There is a configuration already, nobody answers, or the recorder refuses it.
    pub async fn run(mut self) -> anyhow::Result<String> {
        let file = self.dir.join("executor.toml");
        let configured = file.exists();
        if configured && self.key_number > 1 {
            // What it is told there stays; only its key is another.
            self.data = data_of(&file)?;
        } else if configured {
            bail!(
                "{} is there already: this host has joined, or was configured; move it away to join anew",
                file.display()
            );
        }
        let make = |dir: &Path| {
            std::fs::create_dir_all(dir)
                .with_context(|| format!("making the directory {}", dir.display()))
        };
        make(&self.data)?;
        make(&self.dir)?;
        let producer = ProducerId::of_host(&self.host, self.key_number)?;
        let key = journal::load_or_create_key(&own_file(&self.data, self.key_number, "key"))?;
        let (public, short) = (key.public(), key.public().id().short());
        let bus = Bus::connect(&self.nats).await?;
        let enrol = Enrol::new(&producer, &key, &self.code);
        ask(&bus, &enrol, &public.fingerprint()).await?;
        if configured {
            return Ok(format!(
                "host {} is let in, with its key {}: {short} ({})\n\
                 Put  key-number = {}  into the section [executor] of {}, and start it again.\n",
                self.host,
                self.key_number,
                public.to_hex(),
                self.key_number,
                file.display()
            ));
        }
        let allow = self.dir.join("allow.toml");
        if !allow.exists() {
            write(&allow, ALLOW)?;
        }
        write(&file, &self.configuration(&allow))?;
        Ok(format!(
            "host {} is let in, with the key {short} ({})\n\
             What may run here stands in {}: {}. Nobody changes that from elsewhere.\n\
             Start it:  systemctl enable --now decklog-executor   (or: decklog-executor --config {})\n",
            self.host,
            public.to_hex(),
            allow.display(),
            if std::fs::read_to_string(&allow).is_ok_and(|text| text == ALLOW) {
                "nothing yet"
            } else {
                "what stood there before"
            },
            file.display()
        ))
    }

    fn configuration(&self, allow: &Path) -> String {
        let text = |text: &str| Value::String(text.to_owned()).to_string();
        let path = |path: &Path| text(&path.display().to_string());
        let mut lines = vec!["[nats]".to_owned(), format!("url = {}", text(&self.nats.url))];
        if self.nats.prefix != NatsConfig::new("").prefix {
            lines.push(format!("prefix = {}", text(&self.nats.prefix)));
        }
        let files =
            [("credentials_file", &self.nats.credentials_file), ("ca_file", &self.nats.ca_file)];
        for (name, file) in files {
            lines.extend(file.as_deref().map(|file| format!("{name} = {}", path(file))));
        }
        lines.extend([
            String::new(),
            "[executor]".to_owned(),
            format!("host = {}", text(&self.host)),
            format!("data = {}", path(&self.data)),
            format!("allow = {}", path(allow)),
        ]);
        if self.key_number > 1 {
            lines.push(format!("key-number = {}", self.key_number));
        }
        lines.join("\n") + "\n"
    }
}

/// Where the executor of a configuration keeps what is its own.
fn data_of(file: &Path) -> anyhow::Result<PathBuf> {
    let reading = || format!("reading {}", file.display());
    let text = std::fs::read_to_string(file).with_context(reading)?;
    let read: toml::Table = text.parse().with_context(reading)?;
    let data = read.get("executor").and_then(|section| section.get("data")).and_then(Value::as_str);
    let data = data.with_context(|| format!("{} does not say executor.data", file.display()))?;
    Ok(PathBuf::from(data))
}

/// Asks until it is let in. Where a person has to confirm its key, that takes as long as it takes.
async fn ask(bus: &Bus, enrol: &Enrol, fingerprint: &str) -> anyhow::Result<()> {
    let mut until = Instant::now() + PATIENCE;
    let mut told = false;
    loop {
        let answer = append(bus, AppendRequest::Enrol(enrol.clone())).await;
        let why = match answer.map(|answers| answers.into_iter().next()) {
            Ok(Some(AppendAnswer::Enrolled)) => return Ok(()),
            Ok(Some(AppendAnswer::Refused { reason })) => {
                bail!("{} was not let in: {reason}", enrol.producer)
            }
            Ok(Some(AppendAnswer::Waiting)) => {
                if !std::mem::replace(&mut told, true) {
                    eprintln!("{}", waits_for(&enrol.producer, fingerprint));
                }
                until = Instant::now() + PATIENCE;
                "somebody has to confirm its key".to_owned()
            }
            Ok(Some(AppendAnswer::Busy { reason })) => reason,
            Ok(Some(AppendAnswer::NotEnrolled | AppendAnswer::Committed { .. }) | None) => {
                "the recorder answers another question".to_owned()
            }
            Err(error) => error,
        };
        if Instant::now() >= until {
            bail!("nobody let {} in within {} s: {why}", enrol.producer, PATIENCE.as_secs());
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// What whoever stands at the host tells whoever sits at a console.
fn waits_for(producer: &ProducerId, fingerprint: &str) -> String {
    format!(
        "Somebody has to confirm the key of this host at a console, and not who invited it. Its fingerprint is\n\n    {fingerprint}\n\n\
         (page Hosts, or: decklog key confirm {producer} --fingerprint \"{fingerprint}\" --reason …)\n\
         This waits until then; where it is broken off, the same line goes on, also with a code that has ended."
    )
}

/// Whole, or not at all.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    journal::replace(path, text.as_bytes(), 0o644)
        .with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Join, String> {
        Join::read(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn what_is_pasted_is_an_address_a_name_and_a_code() {
        for (line, problem) in [
            ("nats://n:4222 db-07", "join needs an address, a name and a code, and not 2 words"),
            ("nats://n:4222 db-07 c x", "not 4 words"),
            ("nats://n:4222 DB c", "DB"),
            ("nats://n:4222 db-07 c --data", "--data needs a value"),
            ("nats://n:4222 db-07 c --force", "--force is not known"),
        ] {
            let error = read(line).unwrap_err();
            assert!(error.contains(problem), "{line}: {error}");
        }
    }

    #[test]
    fn the_configuration_that_is_written_is_one() {
        let join = read("tls://n:4222 db-07 c --ca /a/b.pem --prefix prod --data /d").unwrap();
        let text = join.configuration(Path::new("/etc/decklog/allow.toml"));
        let all: toml::Table = text.parse().unwrap();
        let config: crate::ExecutorConfig = all["executor"].clone().try_into().unwrap();
        assert!(config.problems().is_empty());
        assert_eq!((&*config.host, config.data), ("db-07", PathBuf::from("/d")));
        let nats: NatsConfig = all["nats"].clone().try_into().unwrap();
        assert_eq!((&*nats.url, &*nats.prefix), ("tls://n:4222", "prod"));
        assert_eq!(nats.ca_file, Some(PathBuf::from("/a/b.pem")));
    }

    #[test]
    fn a_host_that_is_configured_keeps_its_key_where_its_configuration_says() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("executor.toml");
        let says = |text: &str| {
            std::fs::write(&file, text).unwrap();
            data_of(&file).map_err(|error| format!("{error:#}"))
        };
        let good = "[nats]\nurl = 'nats://n:4222'\n[executor]\nhost = 'db-07'\ndata = '/srv/x'\n";
        assert_eq!(says(good), Ok(PathBuf::from("/srv/x")));
        assert!(says("[executor]\nhost = 'db-07'\n").unwrap_err().contains("executor.data"));
        assert!(says("[executor").unwrap_err().contains("executor.toml"));
        let join = read("nats://n:4222 db-07 c --key-number 2").unwrap();
        assert_eq!(join.key_number, 2);
        assert!(
            read("nats://n:4222 db-07 c --key-number 0").unwrap_err().contains("a number from 1")
        );
    }
}
