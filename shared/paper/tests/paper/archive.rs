//! Files that are still readable in twenty years: valid, whole, the same each time.

use paper::{PaperError, Sheet};

use crate::outsider::{Paper, run};
use crate::samples;

/// What a document is, the sheet, and the file.
type Made = (&'static str, Sheet, Result<Vec<u8>, PaperError>);

/// One of each document on each sheet.
fn all() -> Vec<Made> {
    let mut all = Vec::new();
    for sheet in [Sheet::A4, Sheet::Letter] {
        all.push(("head", sheet, samples::head(sheet).pdf()));
        all.push(("review", sheet, samples::review(sheet).pdf()));
        all.push(("quiet review", sheet, samples::quiet_review(sheet).pdf()));
        all.push(("cover", sheet, samples::cover(sheet).pdf()));
    }
    all
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    for ((what, sheet, once), (_, _, again)) in all().into_iter().zip(all()) {
        assert!(once == again, "{what} on {sheet:?}");
        assert!(once.is_ok(), "{what} on {sheet:?}");
    }
}

#[test]
fn another_input_gives_other_bytes() {
    let head = samples::head(Sheet::A4);
    let mut other = head.clone();
    other.imprint.position += 1;
    assert!(head.pdf() != other.pdf());
}

#[test]
fn a_file_has_no_errors() {
    for (_, _, pdf) in all() {
        run("qpdf", &["--check", Paper::new(pdf).name()]);
    }
}

#[test]
fn a_file_says_what_it_is() {
    for (what, sheet, pdf) in all() {
        let paper = Paper::new(pdf);
        let Some(meta) = run("pdfinfo", &["-meta", paper.name()]) else { return };
        for word in ["pdfaid:part>2<", "pdfaid:conformance>A<", "pdfuaid:part>1<"] {
            assert!(meta.contains(word), "{what}: no {word} in {meta}");
        }
        assert_eq!(paper.info("Tagged").as_deref(), Some("yes"), "{what}");
        let size = match sheet {
            Sheet::A4 => "595.276 x 841.89 pts (A4)",
            Sheet::Letter => "612 x 792 pts (letter)",
        };
        assert_eq!(paper.info("Page size").as_deref(), Some(size), "{what}");
        assert_eq!(
            paper.info("Creator").as_deref(),
            Some("decklog 0.1.0 on batch-a.nordbank.example")
        );
    }
}

#[test]
fn a_file_carries_its_fonts() {
    for (what, _, pdf) in all() {
        let Some(fonts) = run("pdffonts", &[Paper::new(pdf).name()]) else { return };
        let fonts: Vec<&str> = fonts.lines().skip(2).collect();
        assert!(fonts.len() >= 3, "{what}: {fonts:?}");
        for font in fonts {
            // Embedded, a subset, and with a way back from glyphs to letters.
            assert!(font.contains(" yes yes yes "), "{what}: {font}");
        }
    }
}

#[test]
fn the_profiles_are_kept_to_the_letter() {
    for (_, _, pdf) in all() {
        let paper = Paper::new(pdf);
        for profile in ["2a", "ua1"] {
            let Some(said) =
                run("verapdf", &["--flavour", profile, "--format", "text", paper.name()])
            else {
                return;
            };
            assert!(said.starts_with("PASS"), "{profile}: {said}");
        }
    }
}

#[test]
fn a_head_is_one_page_and_so_is_a_quiet_night() {
    for sheet in [Sheet::A4, Sheet::Letter] {
        for pdf in [samples::head(sheet).pdf(), samples::quiet_review(sheet).pdf()] {
            let Some(pages) = Paper::new(pdf).info("Pages") else { return };
            assert_eq!(pages, "1", "{sheet:?}");
        }
    }
}
