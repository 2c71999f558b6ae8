//! Answers from whoever is between: bytes that are anything.

use proptest::prelude::*;
use testkit::authority::{Authority, USUAL};
use timestamp::{Mismatch, Query, Roots, Token};

#[test]
fn an_answer_of_which_a_bit_is_another_says_nothing_else_that_is_believed() {
    let authority = Authority::new().unwrap();
    let roots = Roots::from_pem(&std::fs::read(authority.roots()).unwrap()).unwrap();
    let query = Query::of(b"a head", [0xff; 8]);
    let answer = authority.answer(USUAL, &query.to_bytes()).unwrap();
    let token = Token::read(&answer).unwrap();
    assert_eq!(query.check(&token), Ok(()));
    assert_eq!(token.check(&roots).unwrap(), USUAL);
    assert_eq!(token.accuracy_micros, 1_000_000);
    assert_eq!(Query::of(b"another", [0xff; 8]).check(&token), Err(Mismatch::Imprint));
    assert_eq!(Query::of(b"a head", [1; 8]).check(&token), Err(Mismatch::Nonce));

    for at in 0..answer.len() {
        let mut bad = answer.clone();
        bad[at] ^= 1 << (at * 5 % 8);
        let Ok(read) = Token::read(&bad) else { continue };
        if read.check(&roots).is_ok() {
            let same = (read.at, read.imprint) == (token.at, token.imprint);
            assert!(same && query.check(&read).is_ok(), "byte {at}");
        }
        assert!(Token::read(&answer[..at]).is_err(), "cut at {at}");
    }
}

#[test]
fn a_refusal_is_told_with_what_the_authority_says_of_it() {
    let authority = Authority::new().unwrap();
    // openssl answers a question that it cannot read, with a refusal.
    let refused = authority.answer(USUAL, b"no question").unwrap();
    let said = Token::read(&refused).unwrap_err().to_string();
    assert!(said.contains("status 2: "), "{said}");
}

#[test]
fn roots_that_are_none_are_told_to_be_none() {
    for text in ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        assert!(Roots::from_pem(text.as_bytes()).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn bytes_that_are_anything_are_no_token(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(Token::read(&bytes).is_err());
    }
}
