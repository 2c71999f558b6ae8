//! Time stamps: what somebody else's authority says of heads is believed under the reader's own roots, and every other is named.

use evidence::{Head, Trust, Verdict};
use jiff::SignedDuration;
use jiff::civil::DateTime;
use testkit::authority::{Authority, FOR_TIME_STAMPS, Key, USUAL};
use testkit::world::World;
use timestamp::{Query, Roots};

use super::peer;
use super::site::{
    Files, Signers, Site, careful, log_key, names, policy_text, stamped, verify, witness,
};

/// An instant before any certificate of these tests was made, and behind the site's last event.
const BEFORE: &[u8; 15] = b"20210101000000Z";

/// How a token writes it.
const TIME: &str = "%Y%m%d%H%M%S";

fn question(head: &Head) -> Vec<u8> {
    Query::of(head.note.text().as_bytes(), [7; 8]).to_bytes()
}

fn roots(authority: &Authority) -> Option<Roots> {
    Roots::from_pem(&std::fs::read(authority.roots()).unwrap()).ok()
}

/// A site's bundle with this answer for its last head.
fn with(site: &Site, answer: Vec<u8>) -> Files {
    stamped(&site.leaves, &site.signers(), &[(site.leaves.len() as u64, answer)])
}

fn last(site: &Site) -> Head {
    site.head(site.leaves.len())
}

/// The place of something in bytes.
fn place(bytes: &[u8], of: &[u8]) -> usize {
    bytes.windows(of.len()).position(|part| part == of).unwrap()
}

/// What an authority has said of the last head, with another time.
fn at_another_time(authority: &Authority, site: &Site) -> Vec<u8> {
    let honest = authority.answer(USUAL, &question(&last(site))).unwrap();
    let mut statement = authority.statement(&honest).unwrap();
    let at = place(&statement, &[0x18, 0x0f]) + 2;
    statement[at..at + 15].copy_from_slice(BEFORE);
    statement
}

/// The same statement by somebody whose certificate is for something else.
fn by_another(authority: &Authority, site: &Site, name: &str, usage: &str) -> Vec<u8> {
    authority.signer(name, Key::P256, usage).unwrap();
    let honest = authority.answer(USUAL, &question(&last(site))).unwrap();
    authority.signed(name, &authority.statement(&honest).unwrap()).unwrap()
}

#[test]
fn a_head_that_authorities_have_stamped_existed_then_under_the_readers_roots() {
    let (site, authority) = (Site::get(), Authority::new().unwrap());
    let size = site.leaves.len();
    let sizes = [size / 3, 2 * size / 3, size];
    let keys = [("by-rsa", Key::Rsa), ("by-p384", Key::P384), ("by-p256", Key::P256)];
    let mut stamps = Vec::new();
    for (size, (name, key)) in sizes.into_iter().zip(keys) {
        authority.signer(name, key, FOR_TIME_STAMPS).unwrap();
        stamps.push((size as u64, authority.answer(name, &question(&site.head(size))).unwrap()));
    }
    let tar = stamped(&site.leaves, &site.signers(), &stamps).tar();
    let report = verify(&tar, &Trust { tsa: roots(&authority), ..careful(&[]) });
    assert_eq!((names(&report), report.verdict), (vec![], Verdict::Verified));
    let by: Vec<&str> = report.timestamps.believed.iter().map(|one| one.by.as_str()).collect();
    assert_eq!(by, ["by-rsa", "by-p384", "by-p256"]);
    let said = report.to_string();
    assert!(said.contains(&format!("head of {size} events existed at ")), "{said}");

    // Who names no roots believes none of it, is told so, and is not held up by it.
    let report = verify(&tar, &careful(&[]));
    assert_eq!(report.verdict, Verdict::Verified);
    assert!(report.to_string().contains("3, not believed: "), "{report}");
    let said = peer::verify(&tar, Some(&policy_text(true)), &[], None);
    assert_eq!(said.verdict, Verdict::Verified, "{said:?}");
}

/// What is done, what comes of it, the name by which it is found, and the word.
type Attack = (&'static str, fn(&Authority, &Site) -> Files, &'static str, Verdict);

const ATTACKS: &[Attack] = &[
    (
        "a time at which the certificate was not valid",
        |authority, site| {
            with(site, authority.signed(USUAL, &at_another_time(authority, site)).unwrap())
        },
        "TIMESTAMP_CERTIFICATE",
        Verdict::Inconclusive,
    ),
    (
        "a certificate for servers",
        |authority, site| with(site, by_another(authority, site, "server", "critical,serverAuth")),
        "TIMESTAMP_CERTIFICATE",
        Verdict::Inconclusive,
    ),
    (
        "a certificate that says it is for time stamps, and not critically",
        |authority, site| with(site, by_another(authority, site, "lax", "timeStamping")),
        "TIMESTAMP_CERTIFICATE",
        Verdict::Inconclusive,
    ),
    (
        "a certificate that is for something else too",
        |authority, site| {
            with(site, by_another(authority, site, "both", "critical,timeStamping,serverAuth"))
        },
        "TIMESTAMP_CERTIFICATE",
        Verdict::Inconclusive,
    ),
    (
        "an authority under another root, of the same name",
        |_, site| {
            let other = Authority::new().unwrap();
            with(site, other.answer(USUAL, &question(&last(site))).unwrap())
        },
        "TIMESTAMP_ROOT",
        Verdict::Inconclusive,
    ),
    (
        "another time in a token that was signed",
        |authority, site| {
            let mut answer = authority.answer(USUAL, &question(&last(site))).unwrap();
            let at = place(&answer, &[0x18, 0x0f]) + 2;
            // A second later: before it, there may have been no certificate yet.
            let digits = std::str::from_utf8(&answer[at..at + 14]).unwrap();
            let later = DateTime::strptime(TIME, digits).unwrap() + SignedDuration::from_secs(1);
            answer[at..at + 14].copy_from_slice(later.strftime(TIME).to_string().as_bytes());
            with(site, answer)
        },
        "TIMESTAMP_SIGNATURE",
        Verdict::Tampered,
    ),
    (
        "an imprint that was put into a token of something else",
        |authority, site| {
            let mut answer = authority.answer(USUAL, &question(&site.head(3))).unwrap();
            let imprint = |head: &Head| timestamp::imprint(head.note.text().as_bytes());
            let at = place(&answer, &imprint(&site.head(3)));
            answer[at..at + 32].copy_from_slice(&imprint(&last(site)));
            with(site, answer)
        },
        "TIMESTAMP_SIGNATURE",
        Verdict::Tampered,
    ),
    (
        "a token of another head",
        |authority, site| with(site, authority.answer(USUAL, &question(&site.head(3))).unwrap()),
        "TIMESTAMP_OTHER",
        Verdict::Tampered,
    ),
    (
        "a token that is older than what it is over",
        |authority, _| {
            let world = World::new(1, "2045-03-02T02:00:03Z".parse().unwrap()).unwrap();
            let late = Site::of(&world);
            let size = late.leaves.len();
            let answer = authority.answer(USUAL, &question(&late.head(size))).unwrap();
            let signers = Signers { log: log_key(), witness: Some((witness(), late.ends)) };
            stamped(&late.leaves, &signers, &[(size as u64, answer)])
        },
        "TIMESTAMP_EARLY",
        Verdict::Tampered,
    ),
    (
        "no token at all",
        |_, site| with(site, b"no token".to_vec()),
        "TIMESTAMP_FORM",
        Verdict::Inconclusive,
    ),
    ("nothing", |_, site| site.honest(), "NO_TIMESTAMP", Verdict::Inconclusive),
    (
        "a token for a head that is not there",
        |authority, site| {
            let answer = authority.answer(USUAL, &question(&last(site))).unwrap();
            stamped(
                &site.leaves,
                &site.signers(),
                &[(5, answer.clone()), (site.leaves.len() as u64, answer)],
            )
        },
        "FILE_UNEXPECTED",
        Verdict::Tampered,
    ),
];

#[test]
fn a_time_stamp_that_holds_not_is_found_by_its_name() {
    let (site, authority) = (Site::get(), Authority::new().unwrap());
    let trust = Trust { tsa: roots(&authority), ..careful(&[]) };
    for (does, make, found, says) in ATTACKS {
        let report = verify(&make(&authority, site).tar(), &trust);
        assert_eq!((names(&report), report.verdict), (vec![*found], *says), "{does}");
        assert!(report.timestamps.believed.is_empty() || *found == "FILE_UNEXPECTED", "{does}");
    }
}

#[test]
fn a_time_stamp_of_the_future_is_not_believed_and_one_file_too_many_is_named_by_both_verifiers() {
    let (site, authority) = (Site::get(), Authority::new().unwrap());
    let answer = authority.answer(USUAL, &question(&last(site))).unwrap();
    let tar = with(site, answer.clone()).tar();
    let now = "2020-06-01T00:00:00Z".parse().unwrap();
    let report = verify(&tar, &Trust { tsa: roots(&authority), now, ..careful(&[]) });
    assert_eq!((names(&report), report.verdict), (vec!["TIMESTAMP_TIME"], Verdict::Inconclusive));

    let more = stamped(&site.leaves, &site.signers(), &[(5, answer)]).tar();
    assert_eq!(names(&verify(&more, &careful(&[]))), ["FILE_UNEXPECTED"]);
    let said = peer::verify(&more, Some(&policy_text(true)), &[], None);
    assert_eq!((said.verdict, said.names.len()), (Verdict::Tampered, 1), "{said:?}");
    assert!(said.names.contains("FILE_UNEXPECTED"), "{said:?}");
}
