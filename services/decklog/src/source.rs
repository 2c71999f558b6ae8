//! Where looking commands look: a data directory, a database, or a console.

use std::path::{Path, PathBuf};

use anyhow::bail;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::ids::StreamId;
use domain::inquiry::Inquiry;
use domain::ledger::StreamState;
use domain::wire::{Answer, Content, LeafView, LogEntry, Query, Selection, StreamView};
use eventlog::{Access, EventLog};
use tokio::runtime::Runtime;

use crate::cli::{Place, Standing};
use crate::client::Client;
use crate::exit;

/// Leaves asked for at once.
const LEAVES: u32 = 1_000;
/// Events asked for at once.
const EVENTS: u32 = 1_000;

/// The data directory that is meant when nothing is said.
pub(crate) const DEFAULT_DATA: &str = "decklog-data";

/// Something that answers questions.
pub(crate) enum Source {
    /// A log opened here, and the data directory it is in.
    Local(Runtime, EventLog, Option<PathBuf>),
    /// A console.
    Remote(Client),
}

impl Source {
    pub(crate) fn open(place: &Place) -> anyhow::Result<Self> {
        if let Some(server) = &place.server {
            return Ok(Self::Remote(Client::new(server, &token(place)?)));
        }
        Self::in_dir(place.data.as_deref(), None, "a console with --server")
    }

    /// The log of a database or a data directory, at which is looked where it stands.
    pub(crate) fn standing(standing: &Standing) -> anyhow::Result<Self> {
        match &standing.database {
            Some(address) => Self::database(address, standing.archive.as_deref()),
            None => {
                let archive = standing.archive.as_deref();
                Self::in_dir(standing.data.as_deref(), archive, "a database with --database")
            }
        }
    }

    fn in_dir(dir: Option<&Path>, archive: Option<&Path>, or: &str) -> anyhow::Result<Self> {
        let dir = dir.unwrap_or(Path::new(DEFAULT_DATA)).to_owned();
        let file = EventLog::file_in(&dir);
        if !file.exists() {
            return Err(exit::unreachable(format!(
                "there is no log in {}: name the directory of `decklog up` with --data, or {or}",
                dir.display()
            )));
        }
        Self::opened(&file.display().to_string(), archive, Some(dir))
    }

    /// The log of a database, whose archived segments are in a directory: beside the file, where it is one and nobody says another.
    pub(crate) fn database(address: &str, archive: Option<&Path>) -> anyhow::Result<Self> {
        Self::opened(address, archive, None)
    }

    fn opened(address: &str, archive: Option<&Path>, dir: Option<PathBuf>) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let open = async {
            let log = open(address, archive, Access::Read).await?;
            log.check_schema().await?;
            Ok::<_, eventlog::LogError>(log)
        };
        let log = runtime.block_on(open).map_err(exit::unreachable)?;
        Ok(Self::Local(runtime, log, dir))
    }

    pub(crate) fn ask(&self, query: &Query) -> anyhow::Result<Answer> {
        match self {
            Self::Local(runtime, log, _) => Ok(runtime.block_on(log.answer(query))?),
            Self::Remote(client) => client.query(query),
        }
    }

    /// Asks for all that an inquiry lacks.
    pub(crate) fn inquire(&self, inquiry: &mut impl Inquiry) -> anyhow::Result<()> {
        loop {
            let asks = inquiry.asks();
            if asks.is_empty() {
                return Ok(());
            }
            let answers = asks.iter().map(|query| self.ask(query)).collect::<Result<_, _>>()?;
            inquiry.take(answers).map_err(anyhow::Error::msg)?;
        }
    }

    pub(crate) fn stream(&self, id: &StreamId) -> anyhow::Result<Option<StreamState>> {
        let Content::Streams(streams) = self.ask(&Query::Stream { id: id.clone() })?.content else {
            bail!("the answer is to another question");
        };
        Ok(streams.into_iter().next().map(|view| view.state))
    }

    /// Every stream of a selection, page by page.
    pub(crate) fn streams(&self, of: Selection) -> anyhow::Result<Vec<StreamView>> {
        let mut all = Vec::new();
        let mut after = String::new();
        loop {
            let query = Query::Streams { of, after: after.clone(), limit: 1_000 };
            let Content::Streams(streams) = self.ask(&query)?.content else {
                bail!("the answer is to another question");
            };
            let Some(last) = streams.last() else { return Ok(all) };
            after = last.id.to_string();
            all.extend(streams);
        }
    }

    /// The bytes that the tree commits to, page by page, up to a position. Returns the last position that there is; bytes that
    /// cannot be read are none.
    pub(crate) fn leaves(
        &self,
        until: u64,
        mut take: impl FnMut(&LeafView, Vec<u8>) -> anyhow::Result<()>,
    ) -> anyhow::Result<u64> {
        let mut after = 0;
        while after < until {
            let query = Query::Leaves { after, limit: LEAVES };
            let Content::Leaves(page) = self.ask(&query)?.content else {
                bail!("the answer is to another question");
            };
            let Some(last) = page.last().map(|view| view.position) else { break };
            for view in page.iter().take_while(|view| view.position <= until) {
                take(view, STANDARD.decode(&view.leaf).unwrap_or_default())?;
            }
            after = last;
        }
        Ok(after)
    }

    pub(crate) fn events(
        &self,
        after: u64,
        limit: u32,
        stream: Option<&StreamId>,
    ) -> anyhow::Result<Vec<LogEntry>> {
        let query = Query::Events { after, limit, stream: stream.cloned() };
        match self.ask(&query)?.content {
            Content::Events(entries) => Ok(entries),
            Content::Head(_)
            | Content::Leaves(_)
            | Content::Streams(_)
            | Content::Runs(_)
            | Content::Night(_)
            | Content::Heads(_)
            | Content::Consistency(_)
            | Content::Proof(_)
            | Content::Failed(_) => bail!("the answer is to another question"),
        }
    }

    /// Every event of a stream, page by page.
    pub(crate) fn each_of(
        &self,
        stream: &StreamId,
        mut take: impl FnMut(&LogEntry) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut after = 0;
        loop {
            let page = self.events(after, EVENTS, Some(stream))?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.position;
            page.iter().try_for_each(&mut take)?;
        }
    }

    /// What is looked at where it stands, and not through a console.
    pub(crate) fn here(&self) -> anyhow::Result<(&Runtime, &EventLog)> {
        match self {
            Self::Local(runtime, log, _) => Ok((runtime, log)),
            Self::Remote(_) => bail!("a log is looked at where it stands"),
        }
    }

    /// The data directory, where it is one.
    pub(crate) fn dir(&self) -> Option<&Path> {
        match self {
            Self::Local(_, _, dir) => dir.as_deref(),
            Self::Remote(_) => None,
        }
    }
}

/// Opens a log, and says where its archive is.
pub(crate) async fn open(
    address: &str,
    archive: Option<&Path>,
    access: Access,
) -> Result<EventLog, eventlog::LogError> {
    let log = EventLog::open(address, access).await?;
    Ok(match archive {
        Some(dir) => log.with_archive(dir),
        None => log,
    })
}

/// The token for a console.
pub(crate) fn token(place: &Place) -> anyhow::Result<String> {
    if let Some(file) = &place.token_file {
        let text = std::fs::read_to_string(file);
        return text
            .map_err(|error| exit::usage(format!("the token file {}: {error}", file.display())));
    }
    std::env::var("DECKLOG_TOKEN").map_err(|_| {
        exit::denied("a console needs a token: give --token-file, or set DECKLOG_TOKEN or DECKLOG_TOKEN_FILE")
    })
}
