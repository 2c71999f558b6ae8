//! Ports that a server can be stopped and started on again.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::SystemTime;

/// Below the range from which the kernel gives ports to clients. Inside that range a client that
/// tries again and again to reach a stopped server can be given the very port it is calling, and
/// then talks to itself while the server finds its port taken.
const FIRST: u16 = 20_000;
/// How many ports there are to choose from.
const COUNT: u16 = 12_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A loopback port nobody listens on now. Test programs run side by side, so each begins at a place
/// of its own; a caller still has to try another port if its server finds this one taken.
///
/// # Errors
/// If none of the range is free.
pub fn free() -> anyhow::Result<u16> {
    let start = start_of_this_process();
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
        let port = FIRST + (start + step) % COUNT;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    anyhow::bail!("no loopback port is free between {FIRST} and {}", FIRST + COUNT)
}

fn start_of_this_process() -> u16 {
    static START: std::sync::OnceLock<u16> = std::sync::OnceLock::new();
    *START.get_or_init(|| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let nanos = now.map_or(0, |since| since.subsec_nanos());
        let mixed = u64::from(std::process::id()) * 7919 + u64::from(nanos / 1000);
        u16::try_from(mixed % u64::from(COUNT)).unwrap_or(0)
    })
}
