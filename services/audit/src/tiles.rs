//! The log as files that anybody may serve (C2SP tlog-tiles): entries, the hashes of the tree, and the head over them. Proofs are
//! made from these and need no database; what was written once is never written otherwise, so that it can be cached for ever.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use eventlog::EventLog;
use tlog::{Checkpoint, Frontier, Hash, Level, Note, TILE_WIDTH, Tile, leaf_hash, write_entries};
use tracing::warn;

use crate::Surroundings;

const CHECKPOINT: &str = "checkpoint";

/// Writes what the newest signed head is over, again and again, until it is told to stop.
pub(crate) async fn keep(dir: PathBuf, every: Duration, log: EventLog, around: Surroundings) {
    let mut stop = around.stop.clone();
    let written = std::fs::read(dir.join(CHECKPOINT)).ok();
    let mut size = written.as_deref().and_then(size_of).unwrap_or_default();
    loop {
        match round(&dir, size, &log).await {
            Ok(now) => size = now,
            Err(error) => warn!(error = format!("{error:#}"), "tiles were not written"),
        }
        if tokio::time::timeout(every, stop.wait_for(|stop| *stop)).await.is_ok() {
            return;
        }
    }
}

/// Whether what was written is of the log under another name.
fn is_renamed(written: &[u8], note: &str) -> bool {
    let name = written.split(|byte| *byte == b'\n').next().filter(|name| !name.is_empty());
    name.is_some_and(|name| Some(name) != note.lines().next().map(str::as_bytes))
}

/// Moves what another name of the log wrote into a directory aside, so that nothing of it is taken for the log of now.
fn set_aside(dir: &Path, size: u64) -> anyhow::Result<()> {
    let mut name = dir.file_name().unwrap_or_default().to_owned();
    name.push(format!(".until-{size}"));
    let aside = dir.with_file_name(name);
    std::fs::rename(dir, &aside)
        .with_context(|| format!("moving {} to {}", dir.display(), aside.display()))?;
    tracing::warn!(aside = %aside.display(), "the log goes on under another name: what was written of it before was moved aside");
    Ok(())
}

fn size_of(note: &[u8]) -> Option<u64> {
    let note = Note::parse(note).ok()?;
    Some(Checkpoint::parse(note.text()).ok()?.size())
}

/// Writes from one size on to that of the newest head, and the head last: whoever reads it finds what it is over.
async fn round(dir: &Path, from: u64, log: &EventLog) -> anyhow::Result<u64> {
    let Some(note) = log.checkpoints(1).await?.into_iter().next() else { return Ok(from) };
    let size = size_of(note.as_bytes()).context("the newest head cannot be read")?;
    let written = std::fs::read(dir.join(CHECKPOINT)).unwrap_or_default();
    let from = if is_renamed(&written, &note) {
        set_aside(dir, from)?;
        0
    } else {
        from
    };
    if size < from {
        bail!(
            "the newest head is of size {size}, and {} is of {from}: another log was there before",
            dir.display()
        );
    }
    if size == from && written == note.as_bytes() {
        return Ok(size);
    }
    for tile in Tile::of_level(Level::Entries, size).skip(whole(from)) {
        let leaves = leaves(log, tile).await?;
        let dir = dir.to_owned();
        tokio::task::spawn_blocking(move || write_leaves(&dir, tile, &leaves)).await??;
    }
    let dir = dir.to_owned();
    let upper = move || {
        write_above(&dir, from, size)?;
        write(&dir, CHECKPOINT, note.as_bytes())
    };
    tokio::task::spawn_blocking(upper).await??;
    Ok(size)
}

/// How many tiles of a level are full by so many hashes: those never change.
fn whole(hashes: u64) -> usize {
    usize::try_from(hashes / TILE_WIDTH).unwrap_or(usize::MAX)
}

async fn leaves(log: &EventLog, tile: Tile) -> anyhow::Result<Vec<Vec<u8>>> {
    let (first, count) = (tile.index * TILE_WIDTH, u32::try_from(tile.width)?);
    let stored = log.leaves(first, count).await?;
    let last = stored.last().map(|leaf| leaf.position);
    anyhow::ensure!(
        stored.len() as u64 == tile.width && last == Some(first + tile.width),
        "the log has no {count} events behind position {first}"
    );
    Ok(stored.into_iter().map(|leaf| leaf.bytes).collect())
}

fn write_leaves(dir: &Path, tile: Tile, leaves: &[Vec<u8>]) -> anyhow::Result<()> {
    let entries = write_entries(leaves.iter().map(Vec::as_slice))?;
    write(dir, &tile.to_string(), &entries)?;
    let hashes: Vec<u8> = leaves.iter().flat_map(|leaf| leaf_hash(leaf).0).collect();
    let tile = Tile { level: Level::Hashes(0), ..tile };
    write(dir, &tile.to_string(), &hashes)
}

/// Each hash of a tile above the first is the root of a full tile below it.
fn write_above(dir: &Path, from: u64, size: u64) -> anyhow::Result<()> {
    for level in 1..8_u8 {
        let hashes = |size: u64| size >> (8 * u32::from(level));
        if hashes(size) == hashes(from) {
            return Ok(());
        }
        for tile in Tile::of_level(Level::Hashes(level), size).skip(whole(hashes(from))) {
            let mut bytes = Vec::new();
            for below in 0..tile.width {
                let index = tile.index * TILE_WIDTH + below;
                let level = Level::Hashes(level - 1);
                bytes.extend(root(dir, Tile { level, index, width: TILE_WIDTH })?.0);
            }
            write(dir, &tile.to_string(), &bytes)?;
        }
    }
    Ok(())
}

fn root(dir: &Path, tile: Tile) -> anyhow::Result<Hash> {
    let path = dir.join(tile.to_string());
    let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    let (hashes, rest) = bytes.as_chunks::<32>();
    anyhow::ensure!(
        hashes.len() as u64 == TILE_WIDTH && rest.is_empty(),
        "{} is no full tile: remove the directory, and it is written anew",
        path.display()
    );
    Ok(hashes.iter().copied().map(Hash).collect::<Frontier>().root())
}

fn write(dir: &Path, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
    let path = dir.join(name);
    let parent = path.parent().unwrap_or(dir);
    std::fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
    journal::replace(&path, bytes, 0o644).with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use tlog::{Tiler, leaf_hash};

    use super::*;

    /// Whatever the sizes at which it is written, the files are those of a tree that is tiled at once.
    #[test]
    fn tiles_that_are_written_piece_by_piece_are_those_of_the_whole_tree() {
        let dir = tempfile::tempdir().unwrap();
        let leaf = |index: u64| index.to_be_bytes().to_vec();
        let mut from = 0;
        for size in [1, 255, 256, 300, 66_000, 66_100] {
            for tile in Tile::of_level(Level::Entries, size).skip(whole(from)) {
                let first = tile.index * TILE_WIDTH;
                let leaves: Vec<Vec<u8>> = (first..first + tile.width).map(leaf).collect();
                write_leaves(dir.path(), tile, &leaves).unwrap();
            }
            write_above(dir.path(), from, size).unwrap();
            let mut tiler = Tiler::new();
            let mut made: Vec<_> =
                (0..size).flat_map(|at| tiler.push(leaf_hash(&leaf(at)))).collect();
            made.extend(tiler.partial());
            for (tile, bytes) in made {
                let written = std::fs::read(dir.path().join(tile.to_string())).unwrap();
                assert_eq!(written, bytes, "{tile} of size {size}");
            }
            from = size;
        }
    }
}
