//! Every single bit.

use evidence::Verdict;
use testkit::world::World;

use super::site::{Signers, Site, bundle, careful, log_key, verify, witness};

/// How many threads share the bits.
const SHARES: usize = 2;

/// The smallest log there is: who may append to it.
fn small() -> Vec<u8> {
    let world = World::new(1, "2020-03-02T02:00:03Z".parse().unwrap()).unwrap();
    let site = Site::of(&world);
    let signers = Signers { log: log_key(), witness: Some((witness(), site.ends)) };
    bundle(&site.leaves, &signers).tar()
}

/// Flips bits of a bundle, and asks of each time what it is worth.
fn flip(bits: impl Fn(usize) -> std::ops::Range<u32> + Sync) {
    let good = small();
    assert_eq!(verify(&good, &careful(&[])).verdict, Verdict::Verified);
    std::thread::scope(|scope| {
        for share in 0..SHARES {
            let (good, bits) = (&good, &bits);
            scope.spawn(move || {
                let (mut bad, trust) = (good.clone(), careful(&[]));
                for at in (share..good.len()).step_by(SHARES) {
                    for bit in bits(at) {
                        bad[at] ^= 1 << bit;
                        let verdict = verify(&bad, &trust).verdict;
                        assert_ne!(verdict, Verdict::Verified, "byte {at}, bit {bit}");
                        bad[at] = good[at];
                    }
                }
            });
        }
    });
}

#[test]
fn no_byte_of_a_bundle_can_be_another() {
    // Another bit of each byte, so that all of them come up; of the empty bytes that fill blocks up, one here and there.
    let good = small();
    flip(|at| {
        let bit = u32::try_from(at * 5 % 8).unwrap();
        let taken = good[at] != 0 || at.is_multiple_of(67);
        bit..bit + u32::from(taken)
    });
}

#[test]
#[ignore = "takes minutes without optimisation; the test above takes one bit of each byte"]
fn no_flipped_bit_of_a_bundle_is_ever_verified() {
    flip(|_| 0..8);
}

#[test]
fn no_cut_and_no_longer_bundle_is_ever_verified() {
    let good = small();
    for cut in (0..good.len()).step_by(97) {
        let verdict = verify(&good[..cut], &careful(&[])).verdict;
        assert_ne!(verdict, Verdict::Verified, "cut at {cut}");
    }
    for more in [1, 512, 1024] {
        let longer = [good.clone(), vec![0; more]].concat();
        assert_ne!(verify(&longer, &careful(&[])).verdict, Verdict::Verified);
    }
}
