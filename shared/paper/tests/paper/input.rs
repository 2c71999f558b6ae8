//! What cannot be printed is refused with words.

use paper::{Change, Figure, MAX_ROWS, PaperError, Sheet};

use crate::samples;

#[test]
fn a_checkpoint_that_is_none_is_refused() {
    for text in ["", "log\n7\n", "log\nseven\nAAAA\n\n— log AAAA\n", "\n\n— "] {
        let mut head = samples::head(Sheet::A4);
        text.clone_into(&mut head.checkpoint);
        assert!(matches!(head.pdf(), Err(PaperError::Checkpoint(_))), "{text:?}");
    }
}

#[test]
fn a_checkpoint_without_its_signature_is_refused() {
    let mut head = samples::head(Sheet::A4);
    head.checkpoint.truncate(head.checkpoint.find('—').expect("signed"));
    let error = head.pdf().expect_err("not signed").to_string();
    assert_eq!(error, "reading the checkpoint of a daily head: it carries no signature");
}

#[test]
fn a_checkpoint_whose_code_would_be_too_fine_is_refused() {
    let mut head = samples::head(Sheet::A4);
    head.checkpoint += &"x".repeat(paper::MAX_CHECKPOINT_BYTES);
    let error = head.pdf().expect_err("too long");
    assert!(error.to_string().ends_with("there is room for 1000"), "{error}");
}

#[test]
fn more_than_one_document_holds_is_refused() {
    let mut review = samples::quiet_review(Sheet::A4);
    review.changes = vec![Change::default(); MAX_ROWS + 1];
    assert!(matches!(review.pdf(), Err(PaperError::TooMany { most: MAX_ROWS, .. })));
    let mut head = samples::head(Sheet::A4);
    head.figures = vec![Figure::default(); paper::MAX_FIGURES + 1];
    assert!(matches!(head.pdf(), Err(PaperError::TooMany { count: 9, .. })));
}

#[test]
fn an_instant_that_is_none_is_refused() {
    let mut cover = samples::cover(Sheet::A4);
    cover.imprint.made_at = "this morning".to_owned();
    let error = cover.pdf().expect_err("no instant").to_string();
    assert_eq!(
        error,
        "reading the instant \"this morning\" of a page: write it as in 2026-11-30T06:00:00Z"
    );
}
