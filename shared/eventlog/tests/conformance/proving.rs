//! The proof that an event is in a signed head, from the hashes that are stored.

use domain::wire::{Consistency, Content, Inclusion, Proof, Query};
use tlog::{Checkpoint, Frontier, Hash, Held, SignerKey, leaf_hash, verify_inclusion};

use crate::drafts::*;
use crate::site::{Site, Who};
use crate::store::Store;

fn key() -> SignerKey {
    SignerKey::from_seed("test.local/log", &[7; 32]).unwrap()
}

/// Signs the log as it is; its size, and the root.
pub(crate) async fn sign(site: &Site) -> (u64, Hash) {
    let mut tree = Frontier::new();
    loop {
        let leaves = site.log.leaves(tree.size(), 2_000).await.unwrap();
        if leaves.is_empty() {
            break;
        }
        tree.extend(leaves.iter().map(|leaf| leaf_hash(&leaf.bytes)));
    }
    let key = key();
    let head = Checkpoint::new("test.local/log", tree.size(), tree.root()).unwrap();
    site.log.put_checkpoint(tree.size(), &head.sign(&key).unwrap(), site.now).await.unwrap();
    (tree.size(), tree.root())
}

async fn proof(site: &Site, position: u64) -> Proof {
    let answer = site.log.answer(&Query::Proof { position }).await.unwrap();
    let Content::Proof(proof) = answer.content else { unreachable!() };
    proof
}

async fn proven(site: &Site, position: u64) -> Inclusion {
    let Proof::Proven(proof) = proof(site, position).await else { panic!("{position}") };
    proof
}

/// As many events more, in pairs.
pub(crate) async fn grow(site: &mut Site, version: &mut u64, pairs: usize) {
    let mut drafts = Vec::new();
    for _ in 0..pairs {
        drafts.extend([paused("a", *version), resumed("a", *version + 1)]);
        *version += 2;
    }
    site.valid(Who::Console, drafts).await;
}

pub(crate) async fn an_event_is_proven_once_a_signed_head_reaches_it_however_many_there_are(
    store: &Store,
) {
    let mut site = Site::with_job(store, "a").await;
    assert_eq!(proof(&site, 1).await, Proof::NotSigned { size: 0 });
    let (mut version, mut rounds) = (3, 0);
    // Past the ends of two parts of 1,024, where what was remembered goes on.
    for pairs in [0, 2, 126, 126, 126, 126, 3, 126, 126, 126, 126, 126] {
        if pairs > 0 {
            site.tick();
            grow(&mut site, &mut version, pairs).await;
        }
        let (size, root) = sign(&site).await;
        for position in [1, 2, size / 2, size - 1, size, 1_024.min(size), 1_025.min(size)] {
            let one = proven(&site, position).await;
            let path: Vec<Hash> = one.path.iter().map(|digest| Hash(digest.0)).collect();
            let hash = Hash(one.hash.0);
            assert_eq!(verify_inclusion(&hash, position - 1, size, &path, &root), Ok(()));
            assert_eq!(one.position, position);
        }
        for position in [0, size + 1] {
            assert_eq!(proof(&site, position).await, Proof::NotSigned { size });
        }
        rounds += 1;
    }
    assert_eq!(rounds, 12);
    assert!(version > 2_048, "two parts are whole: {version}");
    grow(&mut site, &mut version, 1).await;
    let size = version - 1;
    let Proof::NotSigned { size: signed } = proof(&site, size + 6).await else { panic!("signed") };
    assert!(signed < size + 6);
}

pub(crate) async fn what_proofs_need_of_a_long_log_is_read_in_pieces_or_ahead(store: &Store) {
    let mut site = Site::with_job(store, "a").await;
    let mut version = 3;
    for _ in 0..40 {
        grow(&mut site, &mut version, 128).await;
    }
    let (size, _) = sign(&site).await;
    // Eight parts of 1,024 with a question; the ninth and the tenth are whole.
    assert_eq!(proof(&site, 7).await, Proof::Reading { read: 8_192, size });
    let asked = proven(&site, 7).await;
    site.log = store.open().await;
    assert!(site.log.read_ahead().await.unwrap(), "there is more of it");
    assert!(!site.log.read_ahead().await.unwrap(), "all of it is read");
    assert_eq!(proven(&site, 7).await, asked, "nobody waits for it");
}

async fn shown(site: &Site, from: u64) -> Option<Consistency> {
    let answer = site.log.answer(&Query::Consistency { from }).await.unwrap();
    let Content::Consistency(found) = answer.content else { unreachable!() };
    found
}

pub(crate) async fn each_signed_head_is_shown_with_the_proof_that_it_continues_any_earlier_one(
    store: &Store,
) {
    let mut site = Site::with_job(store, "a").await;
    assert_eq!(shown(&site, 0).await, None, "nothing is signed");
    let (mut version, verifier, mut earlier) = (3, key().verifier_key(), Vec::new());
    let mut newest = None;
    for pairs in [0, 1, 126, 126, 126, 126, 126, 3] {
        if pairs > 0 {
            grow(&mut site, &mut version, pairs).await;
        }
        let (size, root) = sign(&site).await;
        newest = Some((size, root));
        let first = shown(&site, 0).await.unwrap();
        assert!(first.proof.is_empty(), "there is nothing to prove");
        earlier.push(Held::open(first.head.as_bytes(), &verifier).unwrap());
        for held in &earlier {
            let shown = shown(&site, held.head().size()).await.unwrap();
            let proof: Vec<Hash> = shown.proof.iter().map(|digest| Hash(digest.0)).collect();
            let next = held.continued(shown.head.as_bytes(), &verifier, &proof).unwrap();
            assert_eq!(next.head().size(), size);
        }
    }
    let (size, root) = newest.unwrap();
    let more = Checkpoint::new("test.local/log", size + 9, root).unwrap().sign(&key()).unwrap();
    site.log.put_checkpoint(size + 9, &more, site.now).await.unwrap();
    let unproven = shown(&site, size).await.unwrap();
    assert!(unproven.head == more && unproven.proof.is_empty(), "{unproven:?}");
    assert!(earlier[0].continued(more.as_bytes(), &verifier, &[]).is_err());
}

pub(crate) async fn a_log_whose_hashes_were_changed_proves_nothing(store: &Store) {
    let site = Site::with_job(store, "a").await;
    sign(&site).await;
    proven(&site, 2).await;
    let open = if store.is_postgres() {
        "ALTER TABLE event_000000 DISABLE TRIGGER no_change"
    } else {
        "DROP TRIGGER event_no_update"
    };
    store.sql(open).await.unwrap();
    let change = "UPDATE event SET leaf_hash = (SELECT leaf_hash FROM event WHERE position = 1) \
                  WHERE position = 3";
    store.sql(change).await.unwrap();
    for position in [1, 2, 4, 6] {
        let failed = site.log.answer(&Query::Proof { position }).await.unwrap_err().to_string();
        assert!(failed.contains("run `decklog verify`"), "{failed}");
    }
}
