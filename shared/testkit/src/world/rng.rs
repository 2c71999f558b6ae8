//! The one source of chance: SplitMix64 (Steele, Lea, Flood 2014), so that a seed is a world.

use uuid::Uuid;

/// A generator; the same seed gives the same numbers on every machine, for ever.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// The generator of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed ^ 0xdec1_0609_0000_0001)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `low` to `high`, both inclusive.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let width = high.saturating_sub(low).unsigned_abs() + 1;
        low + i64::try_from(self.bits() % width).unwrap_or(0)
    }

    /// An index below `len`; 0 where `len` is 0.
    pub fn index(&mut self, len: usize) -> usize {
        let len = u64::try_from(len).unwrap_or(1).max(1);
        usize::try_from(self.bits() % len).unwrap_or(0)
    }

    /// True in `per_10k` of ten thousand cases.
    pub fn chance(&mut self, per_10k: u32) -> bool {
        self.bits() % 10_000 < u64::from(per_10k)
    }

    /// One of `choices`, which are not none.
    pub fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.index(choices.len())].clone()
    }

    /// Entropy for a key.
    pub fn bytes(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for part in bytes.chunks_mut(8) {
            part.copy_from_slice(&self.bits().to_be_bytes());
        }
        bytes
    }

    /// A UUID of version 7 made at `millis` since 1970.
    pub fn uuid(&mut self, millis: i64) -> Uuid {
        let time = u128::from(millis.unsigned_abs()) << 80;
        let noise = u128::from(self.bits()) << 64 | u128::from(self.bits());
        let kept = noise & 0x0fff_3fff_ffff_ffff_ffff;
        Uuid::from_u128(time | 0x7000_8000_0000_0000_0000 | kept)
    }
}
