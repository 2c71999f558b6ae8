//! What the machine itself can do.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Milliseconds of one write and fdatasync of 8 KiB, median of 200.
pub(crate) fn sync_ms(dir: &Path) -> anyhow::Result<f64> {
    let path = dir.join("sync.probe");
    let mut file = File::create(&path)?;
    let mut times = Vec::with_capacity(200);
    for _ in 0..200 {
        let begin = Instant::now();
        file.write_all(&[7; 8192])?;
        file.sync_data()?;
        times.push(begin.elapsed().as_secs_f64() * 1_000.0);
    }
    std::fs::remove_file(&path)?;
    times.sort_by(f64::total_cmp);
    Ok(super::percentile(&times, 0.5))
}

/// `/bin/true` started and waited for, this many at a time: a second.
pub(crate) fn spawns_per_second(count: usize, at_once: usize) -> anyhow::Result<f64> {
    let next = AtomicUsize::new(0);
    let begin = Instant::now();
    std::thread::scope(|scope| {
        let work = || -> std::io::Result<()> {
            while next.fetch_add(1, Ordering::Relaxed) < count {
                let mut command = Command::new("/bin/true");
                command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
                command.status()?;
            }
            Ok(())
        };
        let threads: Vec<_> = (0..at_once).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            thread.join().map_err(|_| anyhow::anyhow!("a thread of the measurement failed"))??;
        }
        anyhow::Ok(())
    })?;
    Ok(count as f64 / begin.elapsed().as_secs_f64())
}
