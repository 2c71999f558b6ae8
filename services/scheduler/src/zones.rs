//! The time zone database this scheduler uses. The files of the zones in use are copied, a directory for each version of
//! the database: so what a newer version moves can be told when this one is gone from the host.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bus::Bus;
use bus::recorder;
use domain::envelope::Draft;
use domain::ids::StreamId;
use domain::ledger::Mark;
use domain::time::{Schedule, TZDB_VERSION_FILES, tzdb_version_from};
use domain::tzdb::{AHEAD_DAYS, FIRST, Moves, Rules, compare};
use jiff::{SignedDuration, Timestamp};
use journal::Outbox;
use tracing::{info, warn};

/// The time zone database of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneInfo {
    /// Its version; `unknown` where it does not say.
    pub version: String,
    /// The directory of its files.
    pub files: PathBuf,
}

impl ZoneInfo {
    /// The database in a directory.
    pub fn in_dir(files: PathBuf) -> Self {
        let version = version_in(&files).unwrap_or_else(|| UNKNOWN.to_owned());
        Self { version, files }
    }

    /// The same directory, read again: what this process remembers of its zones is forgotten.
    pub(crate) fn again(&self) -> Self {
        jiff::tz::db().reset();
        Self::in_dir(self.files.clone())
    }
}

/// The word for a version that nobody states.
const UNKNOWN: &str = "unknown";
/// How long until the recorder is asked again.
const AGAIN: Duration = Duration::from_secs(5);
/// Largest file of a zone, in bytes; real ones have a few thousand.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Where the version stands, from the beginning of its file, in bytes.
const VERSION_BYTES_MAX: u64 = 100;

fn version_in(dir: &Path) -> Option<String> {
    let first = |name: &&str| read(&dir.join(name), VERSION_BYTES_MAX).ok();
    let bytes = TZDB_VERSION_FILES.iter().find_map(first)?;
    tzdb_version_from(&String::from_utf8_lossy(&bytes))
}

/// The copies of one scheduler.
#[derive(Debug, Clone)]
pub(crate) struct Copies {
    host: ZoneInfo,
    dir: PathBuf,
    /// Zones that were copied, or could not be.
    done: BTreeSet<String>,
    /// Another version that the host's files were seen to have.
    seen: Option<String>,
}

impl Copies {
    pub(crate) fn new(host: ZoneInfo, data: &Path) -> Self {
        Self { host, dir: data.join("tzdb"), done: BTreeSet::new(), seen: None }
    }

    fn of_version(&self, version: &str) -> Option<PathBuf> {
        // A version comes from the log too: it must not lead elsewhere.
        let plain = tzdb_version_from(version).is_some_and(|same| same == version);
        plain.then(|| self.dir.join(version))
    }

    /// Whether the host's files are of another version by now. It must be seen twice: a package does not replace all
    /// files at once.
    pub(crate) fn are_outdated(&mut self) -> bool {
        let other = version_in(&self.host.files).filter(|version| *version != self.host.version);
        let twice = other.is_some() && other == self.seen;
        self.seen = other;
        twice
    }

    /// Copies the zones of these schedules that are not copied yet.
    pub(crate) fn keep<'a>(
        &mut self,
        schedules: impl Iterator<Item = (&'a str, &'a Arc<Schedule>)>,
    ) {
        let zones: BTreeSet<&str> = schedules.map(|(_, schedule)| schedule.zone()).collect();
        let new: Vec<&str> = zones.into_iter().filter(|zone| !self.done.contains(*zone)).collect();
        let Some(dir) = self.of_version(&self.host.version).filter(|_| !new.is_empty()) else {
            return;
        };
        // The files may have been replaced since this program started.
        if version_in(&self.host.files).as_ref() != Some(&self.host.version) {
            return;
        }
        if let Err(error) = note_version(&dir, &self.host.version) {
            warn!(dir = %dir.display(), %error, "the version of copied zones could not be noted");
        }
        for zone in new {
            if let Err(error) = copy(&self.host.files, &dir, zone) {
                warn!(zone, %error, "the rules of a zone could not be copied; what the next time zone database moves in it will not be told");
            }
            self.done.insert(zone.to_owned());
        }
    }

    /// Tells the log where another version of the database is used than before, as soon as it can be told.
    pub(crate) async fn tell(
        self,
        bus: Bus,
        outbox: Outbox,
        schedules: Vec<(String, Arc<Schedule>)>,
        now: Timestamp,
    ) {
        if self.host.version == UNKNOWN {
            return warn!(
                "the time zone database does not state its version (tzdata.zi): a change of it is not noticed"
            );
        }
        let schedules = Arc::new(schedules);
        loop {
            match self.tell_once(&bus, &outbox, &schedules, now).await {
                Ok(true) => return,
                // Another scheduler was faster: what it told is looked at.
                Ok(false) => {}
                Err(error) => {
                    warn!(%error, "whether the time zone database has changed is not known yet");
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn tell_once(
        &self,
        bus: &Bus,
        outbox: &Outbox,
        schedules: &Arc<Vec<(String, Arc<Schedule>)>>,
        now: Timestamp,
    ) -> anyhow::Result<bool> {
        let state = recorder::stream(bus, &StreamId::tzdb()).await?;
        let version = state.as_ref().map_or(0, |state| state.version);
        let before = state.and_then(|state| state.body.tzdb().map(str::to_owned));
        if before.as_ref() == Some(&self.host.version) {
            return Ok(true);
        }
        let moves = match &before {
            Some(before) => self.compare(before, Arc::clone(schedules), now).await?,
            None => Moves::default(),
        };
        let event = moves.event(before.as_deref(), &self.host.version);
        let verdict = outbox.say(Draft::new(StreamId::tzdb(), version + 1, event)).await?;
        match verdict.mark {
            Mark::Valid => self.told(before.as_deref(), &moves),
            Mark::Conflict { .. } => return Ok(false),
            Mark::Refused { reason } => {
                warn!(%reason, "the recorder refused to be told of the time zone database");
            }
        }
        Ok(true)
    }

    /// What moves, worked out away from the loop: there may be many jobs.
    async fn compare(
        &self,
        before: &str,
        schedules: Arc<Vec<(String, Arc<Schedule>)>>,
        now: Timestamp,
    ) -> anyhow::Result<Moves> {
        let (old, new) = (self.of_version(before), self.host.files.clone());
        let until =
            now.checked_add(SignedDuration::from_hours(AHEAD_DAYS * 24)).unwrap_or(Timestamp::MAX);
        let work = move || {
            let zones: BTreeSet<&str> =
                schedules.iter().map(|(_, schedule)| schedule.zone()).collect();
            let before = old.map(|old| rules(&old, &zones)).unwrap_or_default();
            let after = rules(&new, &zones);
            let schedules = schedules.iter().map(|(job, schedule)| (job.as_str(), &**schedule));
            compare(schedules, (&before, &after), (now, until), FIRST)
        };
        Ok(tokio::task::spawn_blocking(work).await?)
    }

    /// Says it to the operator, and forgets copies that nobody will ask for.
    fn told(&self, before: Option<&str>, moves: &Moves) {
        let Some(before) = before else { return };
        let (now, moved, jobs) = (&self.host.version, moves.moved, moves.jobs);
        let unknown = moves.unknown.len();
        warn!(
            before,
            now,
            moved,
            jobs,
            unknown_zones = unknown,
            "the time zone database has changed: see log/tzdb"
        );
        let versions = std::fs::read_dir(&self.dir).into_iter().flatten().flatten();
        for entry in versions {
            let name = entry.file_name();
            if name != before && name != now.as_str() {
                // It is tried again at the next change.
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
        info!(old = %self.dir.join(before).display(), "compare with `decklog tzdb compare`");
    }
}

/// A zone's name as a path below a directory; `None` where it leads elsewhere.
fn path_of(dir: &Path, zone: &str) -> Option<PathBuf> {
    let plain = |part| matches!(part, Component::Normal(_));
    let below = Path::new(zone);
    (!zone.is_empty() && below.components().all(plain)).then(|| dir.join(below))
}

fn read(path: &Path, bytes_max: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(bytes_max).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The rules of zones, as far as a directory has them.
pub fn rules(dir: &Path, zones: &BTreeSet<&str>) -> Rules {
    let mut rules = Rules::default();
    for zone in zones {
        let Some(bytes) = path_of(dir, zone).and_then(|path| read(&path, FILE_BYTES_MAX).ok())
        else {
            continue;
        };
        if let Err(error) = rules.add(zone, &bytes) {
            warn!(zone, dir = %dir.display(), %error, "the rules of a zone cannot be read");
        }
    }
    rules
}

/// Copies say of which version they are, as the database does.
fn note_version(dir: &Path, version: &str) -> std::io::Result<()> {
    std::fs::create_dir_all(dir)?;
    std::fs::write(dir.join("+VERSION"), format!("{version}\n"))
}

/// Copies a zone's file, whole or not at all.
fn copy(from: &Path, to: &Path, zone: &str) -> anyhow::Result<()> {
    let paths = path_of(from, zone).zip(path_of(to, zone));
    let (from, to) = paths.with_context(|| format!("{zone} is not the name of a file"))?;
    if to.exists() {
        return Ok(());
    }
    let bytes =
        read(&from, FILE_BYTES_MAX).with_context(|| format!("reading {}", from.display()))?;
    let dir = to.parent().with_context(|| format!("{} has no directory", to.display()))?;
    std::fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
    let half = to.with_extension("half");
    std::fs::write(&half, bytes).with_context(|| format!("writing {}", half.display()))?;
    std::fs::rename(&half, &to).with_context(|| format!("naming {}", to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_a_zone_nor_a_version_leads_out_of_its_directory() {
        let dir = Path::new("/copies");
        for bad in ["", "../x", "Europe/../../x", "/etc/passwd", "Europe/./Berlin/.."] {
            assert_eq!(path_of(dir, bad), None, "{bad}");
        }
        let berlin = path_of(dir, "Europe/Berlin");
        assert_eq!(berlin.as_deref(), Some(Path::new("/copies/Europe/Berlin")));
        let host = ZoneInfo { version: "2026a".to_owned(), files: dir.to_owned() };
        let copies = Copies::new(host, Path::new("/data"));
        for bad in ["../../x", "2026/..", "..", "", "2026a\n", "# version 2026a"] {
            assert_eq!(copies.of_version(bad), None, "{bad}");
        }
        assert_eq!(copies.of_version("2026a").as_deref(), Some(Path::new("/data/tzdb/2026a")));
    }
}
