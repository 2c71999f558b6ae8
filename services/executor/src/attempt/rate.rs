//! How fast a command's output is taken: so much a second, with a burst of one second.
//!
//! Knows nothing of clocks and pipes: it is told the time, and says when there is room again.

use std::time::{Duration, Instant};

/// What may be taken at once after a pause: as much as comes in this time.
const BURST: Duration = Duration::from_secs(1);

/// Less than this part of a second's worth is not waited for: it would be many small looks.
const LEAST: u64 = 10;

/// Most that is waited for before a look, in bytes.
const LOOK_BYTES_MAX: u64 = 4096;

/// The rate of one command.
#[derive(Debug)]
pub(crate) struct Rate {
    bytes_per_second: u64,
    /// When everything that was taken would have come at this rate.
    paid_until: Instant,
}

impl Rate {
    pub(crate) fn new(bytes_per_second: u64, now: Instant) -> Self {
        Self { bytes_per_second: bytes_per_second.max(1), paid_until: now }
    }

    /// How many bytes may be taken now; 0 as long as it is not worth a look.
    pub(crate) fn room(&self, now: Instant) -> u64 {
        let ahead = self.paid_until.saturating_duration_since(now);
        let left = BURST.saturating_sub(ahead).as_nanos() * u128::from(self.bytes_per_second);
        let room = u64::try_from(left / 1_000_000_000).unwrap_or(u64::MAX);
        if room < self.least() { 0 } else { room }
    }

    /// Notes that so many bytes were taken.
    pub(crate) fn take(&mut self, bytes: u64, now: Instant) {
        self.paid_until = self.paid_until.max(now) + self.time_of(bytes);
    }

    /// When there will be room, if nothing is taken until then.
    pub(crate) fn due(&self) -> Instant {
        let due = self.paid_until + self.time_of(self.least());
        due.checked_sub(BURST).unwrap_or(due)
    }

    fn least(&self) -> u64 {
        (self.bytes_per_second / LEAST).clamp(1, LOOK_BYTES_MAX)
    }

    /// Rounded up, so that never more is taken than the rate allows.
    fn time_of(&self, bytes: u64) -> Duration {
        let nanos = (u128::from(bytes) * 1_000_000_000).div_ceil(u128::from(self.bytes_per_second));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes as much as it may as soon as it may; gives how long that takes by the clock it is told.
    fn time_for(bytes: u64, rate: u64) -> Duration {
        let begun = Instant::now();
        let (mut now, mut rate, mut left) = (begun, Rate::new(rate, begun), bytes);
        while left > 0 {
            let room = rate.room(now).min(left);
            rate.take(room, now);
            left -= room;
            if rate.room(now) == 0 {
                assert!(rate.due() > now);
                now = rate.due();
                assert!(rate.room(now) > 0, "what is due is there");
            }
        }
        now - begun
    }

    #[test]
    fn output_takes_the_time_that_its_rate_makes_of_it_less_one_burst() {
        for (bytes, rate) in
            [(1_024, 1_024), (10_240, 1_024), (1 << 20, 100_000), (5_000_000, 1 << 20)]
        {
            let (took, due) = (time_for(bytes, rate), bytes as f64 / rate as f64 - 1.0);
            assert!(took.as_secs_f64() >= due, "{bytes} at {rate}: {took:?}, not {due}");
            assert!(took.as_secs_f64() <= due + 0.2, "{bytes} at {rate}: {took:?}, not {due}");
        }
    }

    #[test]
    fn a_pause_earns_one_second_of_output_and_no_more() {
        let now = Instant::now();
        let mut rate = Rate::new(1_000, now);
        let after = |seconds| now + Duration::from_secs(seconds);
        assert_eq!(rate.room(now), 1_000);
        rate.take(1_000, now);
        assert_eq!((rate.room(now), rate.room(now + Duration::from_millis(500))), (0, 500));
        assert_eq!(rate.room(after(1)), 1_000);
        assert_eq!(rate.room(after(1_000)), 1_000);
        rate.take(1_000, after(1_000));
        assert_eq!(rate.room(after(1_000)), 0);
    }

    #[test]
    fn what_was_taken_over_the_rate_is_paid_for_before_there_is_room_again() {
        let now = Instant::now();
        let mut rate = Rate::new(1_000, now);
        rate.take(5_000, now);
        assert_eq!(rate.due(), now + Duration::from_millis(4_100));
        assert_eq!(rate.room(now + Duration::from_millis(4_099)), 0);
        assert_eq!(rate.room(rate.due()), 100);
    }
}
