//! Nothing honest is accused.

use evidence::{Depth, Trust, Verdict};
use testkit::world::World;
use tlog::Policy;

use super::peer;
use super::site::{
    Signers, Site, alone, bundle, careful, log_key, names, policy_text, verify, witness,
};

/// Worlds with every fault we can think of; each takes about a second.
const SEEDS: u64 = 24;
/// The same whose log has a long past, and is archived.
const ARCHIVED: u64 = 2;

#[test]
fn an_honest_bundle_with_a_witness_is_verified_by_both_verifiers() {
    let site = Site::get();
    let (tar, held) = (site.honest().tar(), [site.head(40)]);
    let report = verify(&tar, &careful(&held));
    assert_eq!((names(&report), report.verdict), (vec![], Verdict::Verified));
    assert_eq!(report.size, site.leaves.len() as u64);
    assert!(report.witnessed.quorum && report.witnessed.by.contains_key("w1"));
    assert!(report.counts.occurrences_expected > 5, "{:?}", report.counts);
    let said = peer::verify(&tar, Some(&policy_text(true)), &held, None);
    assert_eq!(said.verdict, Verdict::Verified, "{said:?}");
}

#[test]
fn a_policy_that_names_no_log_believes_nobody_and_accuses_nobody() {
    let tar = Site::get().honest().tar();
    let whole = policy_text(true);
    let lines = whole.lines().filter(|line| !line.starts_with("log "));
    let text: String = lines.map(|line| format!("{line}\n")).collect();
    let policy = Some(Policy::parse(&text).unwrap());
    let report = verify(&tar, &Trust { policy, ..careful(&[]) });
    assert_eq!((names(&report), report.verdict), (vec!["NO_POLICY"], Verdict::Inconclusive));
    let said = peer::verify(&tar, Some(&text), &[], None);
    assert_eq!(said.verdict, Verdict::Inconclusive);
    assert_eq!(said.names.into_iter().collect::<Vec<_>>(), ["NO_POLICY"]);
}

#[test]
fn without_a_witness_or_without_a_policy_nothing_is_verified() {
    let site = Site::get();
    let unwitnessed = bundle(&site.leaves, &Signers { log: log_key(), witness: None }).tar();
    let (tar, nobody) = (site.honest().tar(), evidence::Trust { policy: None, ..alone() });
    for (tar, trust, policy, name) in [
        (&unwitnessed, careful(&[]), Some(policy_text(true)), "NO_QUORUM"),
        (&tar, alone(), Some(policy_text(false)), "NO_QUORUM"),
        (&tar, nobody, None, "NO_POLICY"),
    ] {
        let report = verify(tar, &trust);
        assert_eq!((names(&report), report.verdict), (vec![name], Verdict::Inconclusive));
        let said = peer::verify(tar, policy.as_deref(), &[], None);
        assert_eq!(said.verdict, Verdict::Inconclusive, "{said:?}");
    }
}

#[test]
fn the_last_signature_of_each_producer_vouches_for_those_before_it() {
    let site = Site::get();
    let tar = site.honest().tar();
    let tip = evidence::verify(tar.as_slice(), &careful(&[]), Depth::Tip, &mut |_, _| {}).unwrap();
    assert_eq!(tip.verdict, Verdict::Verified);
    let full = verify(&tar, &careful(&[]));
    assert!(tip.counts.signatures < full.counts.signatures / 2, "{:?}", tip.counts);
}

#[test]
fn a_bundle_is_the_same_when_it_is_made_again() {
    let site = Site::get();
    assert_eq!(site.honest(), site.honest());
    let again = evidence::verify(
        site.honest().tar().as_slice(),
        &careful(&[]),
        Depth::Full,
        &mut |_, _| {},
    );
    assert_eq!(again.unwrap().root.0, site.head(site.leaves.len()).says.root().0);
}

/// Programs that crash, hosts that are cut off, clocks that are wrong, messages that are lost or doubled: all of it leaves a
/// log that is verified.
#[test]
fn whatever_happens_to_an_honest_site_its_log_is_verified() {
    for seed in 0..SEEDS {
        verified_by_both(World::random(seed).unwrap(), seed);
    }
}

/// Of what was archived the roots are compared by both.
#[test]
fn a_log_that_was_archived_while_things_broke_is_verified_with_what_it_says_of_its_files() {
    let mut segments = 0;
    for seed in 0..ARCHIVED {
        segments += verified_by_both(World::random_with_past(seed).unwrap(), seed).archived().0;
    }
    assert!(segments > 0, "nothing was archived");
}

fn verified_by_both(mut world: World, seed: u64) -> World {
    world.live_through().and_then(|()| world.settle()).unwrap();
    let site = Site::of(&world);
    let signers = Signers { log: log_key(), witness: Some((witness(), site.ends)) };
    let tar = bundle(&site.leaves, &signers).tar();
    let report = verify(&tar, &careful(&[]));
    assert_eq!(report.verdict, Verdict::Verified, "seed {seed}: {:?}", report.findings);
    let said = peer::verify(&tar, Some(&policy_text(true)), &[], None);
    assert_eq!(said.verdict, Verdict::Verified, "seed {seed}: {said:?}");
    world
}
