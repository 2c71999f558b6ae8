//! Text comes out of the file as it went in, in the order in which one reads it.

use paper::{Exception, MorningReview, Sheet};

use crate::outsider::Paper;
use crate::samples;

/// Asserts that the words stand in the text one after the other.
fn assert_in_order(text: &str, words: &[&str]) {
    let mut rest = text;
    for word in words {
        let at =
            rest.find(word).unwrap_or_else(|| panic!("{word:?} is not in its place in\n{text}"));
        rest = &rest[at + word.len()..];
    }
}

#[test]
fn a_head_reads_from_top_to_bottom() {
    let Some(text) = Paper::new(samples::head(Sheet::A4).pdf()).text() else { return };
    let words = [
        "Nordbank",
        "Sunday, 29 November 2026",
        "Signed head of the log",
        "log.nordbank.example/decklog",
        "1,284,902 events",
        "aa36 8f02 1ce8 bf2b 95d6 566a a8b4 f368",
        "9709 6e65 83e5 9274 fc46 6163 d93a b658",
        "qjaP Ahzo vyuV 1lZq qLTz aJcJ",
        "bmWD 5ZJ0 /EZh Y9k6 tlg=",
        "3,118",
        "1284902",
        "qjaPAhzovyuV1lZqqLTzaJcJbmWD5ZJ0/EZhY9k6tlg=",
        "— log.nordbank.example/decklog",
        "take this sheet of paper back",
        "decklog-verify consistency",
        "page 1 of 1",
        "For Dr. Margarethe Öztürk-Łukaszewska, Internal Audit.",
        "As of position 1,284,902",
    ];
    assert_in_order(&text, &words);
}

#[test]
fn exceptions_come_first_and_names_of_all_europe_come_out() {
    let Some(text) = Paper::new(samples::review(Sheet::A4).pdf()).text() else { return };
    let words = [
        "Of 412 runs",
        "Exceptions (3)",
        "A1",
        "ledger-close-daily",
        "ORA-01555",
        "A2",
        "überweisungen/sepa-ausgang-",
        "Βορράς-Север",
        "Datasets at risk (1)",
        "Prints not delivered (1)",
        "Ångström",
        "Changes and pauses (2)",
        "Παπαδόπουλος",
        "Олена Шевченко,",
        "I have read this review",
        "page 2 of 2",
    ];
    assert_in_order(&text, &words);
}

#[test]
fn a_quiet_night_says_so_in_words() {
    let Some(text) = Paper::new(samples::quiet_review(Sheet::Letter).pdf()).text() else { return };
    assert_eq!(text.matches("Nothing to report: ").count(), 4, "{text}");
}

#[test]
fn what_the_fonts_lack_is_shown_as_its_code_point() {
    let mut review = samples::quiet_review(Sheet::A4);
    review.night = "中 \u{202E}exe \u{7}".to_owned();
    let Some(text) = Paper::new(review.pdf()).text() else { return };
    assert!(text.contains("[U+4E2D] [U+202E]exe [U+0007]"), "{text}");
}

fn thousand() -> MorningReview {
    let exception = |i: usize| Exception {
        job: format!("job-{i:04}"),
        due: "30 Nov 01:30".to_owned(),
        state: "failed".to_owned(),
        error: format!("error {i} of a thousand"),
        ..Exception::default()
    };
    MorningReview { exceptions: (0..1_000).map(exception).collect(), ..samples::review(Sheet::A4) }
}

#[test]
fn a_thousand_rows_are_all_there_under_a_head_on_each_page() {
    let paper = Paper::new(thousand().pdf());
    let Some(text) = paper.text() else { return };
    for i in 0..1_000 {
        assert!(text.contains(&format!("job-{i:04}")), "row {i}");
    }
    assert!(text.contains("A1000"));
    let pages: Vec<&str> = text.split('\u{c}').filter(|page| page.contains("job-")).collect();
    assert!(pages.len() > 40, "{} pages", pages.len());
    for page in pages {
        let page = page.to_lowercase();
        assert!(page.contains("first line of the error"), "no head on\n{page}");
    }
}

#[test]
fn a_row_that_is_longer_than_a_page_goes_on_with_its_last_word_there() {
    let mut review = samples::quiet_review(Sheet::A4);
    let error = format!("{} lastword", "word ".repeat(390));
    review.exceptions =
        vec![Exception { error: error.clone(), state: error, ..Exception::default() }; 2];
    let Some(text) = Paper::new(review.pdf()).text() else { return };
    assert_eq!(text.matches("lastword").count(), 4, "{text}");
}
