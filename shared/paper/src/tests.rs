//! Where the marks are, whatever is printed.

use crate::draft::{Ink, Mark, Page};
use crate::setting::Setter;
use crate::sheet::Area;
use crate::write::Drafted;
use crate::{
    Change, CoverSheet, DailyHead, DatasetAtRisk, Exception, Figure, Imprint, MorningReview,
    Parameter, Sheet, UndeliveredPrint,
};

const CHECKPOINT: &str =
    "log.example\n7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n— log.example AAAA\n";

/// Texts that break a layout which trusts its input.
fn nasty() -> Vec<String> {
    vec![
        "W".repeat(5_000),
        "/srv/".repeat(400),
        "word ".repeat(399),
        "line\nline\r\n\n\nline\t\tend   ".to_owned(),
        " ".repeat(900),
        "\u{202E}txt.exe\u{0}\u{7}\u{FEFF}\u{FFFE}\u{10FFFF}".to_owned(),
        "漢字かな 한글 👩‍👩‍👧‍👦 שלום مرحبا".repeat(20),
        "a\u{301}\u{301}\u{301}\u{301}e\u{308}".repeat(90),
        "ﬁne Ĳ ǅ ŒÆ ſt Ω Ж → ✓ ½ \u{A0}\u{A0} x".to_owned(),
        String::new(),
    ]
}

fn imprint(text: &str) -> Imprint {
    Imprint {
        reader: text.to_owned(),
        made_by: text.to_owned(),
        made_at: "2026-11-30T06:00:00Z".to_owned(),
        position: u64::MAX,
        as_of: text.to_owned(),
    }
}

fn head(sheet: Sheet, text: &str) -> DailyHead {
    let t = || text.to_owned();
    DailyHead {
        sheet,
        site: t(),
        day: t(),
        checkpoint: CHECKPOINT.to_owned(),
        figures: vec![Figure { label: t(), value: t() }; 5],
        verify: t(),
        imprint: imprint(text),
    }
}

fn review(sheet: Sheet, text: &str) -> MorningReview {
    let t = || text.to_owned();
    let exception = Exception {
        job: t(),
        due: "30 Nov 01:30".to_owned(),
        state: t(),
        lateness: t(),
        host: t(),
        error: t(),
        advice: t(),
    };
    MorningReview {
        sheet,
        site: t(),
        day: t(),
        span: t(),
        night: t(),
        figures: vec![Figure { label: t(), value: t() }],
        exceptions: vec![exception; 2],
        datasets: vec![DatasetAtRisk { dataset: t(), why: t(), ..DatasetAtRisk::default() }],
        prints: vec![UndeliveredPrint { document: t(), state: t(), ..UndeliveredPrint::default() }],
        changes: vec![Change { at: t(), who: t(), reason: t(), ..Change::default() }],
        imprint: imprint(text),
    }
}

fn cover(sheet: Sheet, text: &str) -> CoverSheet {
    let t = || text.to_owned();
    CoverSheet {
        sheet,
        site: t(),
        title: t(),
        parameters: vec![Parameter { name: t(), value: t() }; 3],
        asked_by: t(),
        file: t(),
        records: u64::MAX,
        bytes: u64::MAX,
        completeness: vec![t()],
        accuracy: vec![t()],
        verify: t(),
        imprint: imprint(text),
        ..CoverSheet::default()
    }
}

/// Every document with every text on every sheet.
fn all(setter: &Setter) -> Vec<(String, Drafted)> {
    let mut drafts = Vec::new();
    for (i, text) in nasty().iter().enumerate() {
        for sheet in [Sheet::A4, Sheet::Letter] {
            for drafted in [
                head(sheet, text).draft(setter),
                review(sheet, text).draft(setter),
                cover(sheet, text).draft(setter),
            ] {
                let drafted = drafted.expect("printable");
                drafts.push((format!("{} with text {i} on {sheet:?}", drafted.title), drafted));
            }
        }
    }
    drafts
}

/// Half a point for letters that lean over, as all of them do a little.
fn is_inside(inner: Area, outer: Area) -> bool {
    inner.left >= outer.left - 0.6
        && inner.right <= outer.right + 0.6
        && inner.top >= outer.top - 10.0
        && inner.bottom <= outer.bottom + 0.6
}

/// Lines of text, and drawings of many parts: codes and strokes.
fn read(page: &Page) -> Vec<Area> {
    let is_read = |mark: &&Mark| match &mark.ink {
        Ink::Text { line, .. } => line.width > 0.0,
        Ink::Fill { areas, .. } => areas.len() > 1,
        Ink::Frame { .. } => false,
    };
    page.marks.iter().filter(is_read).map(Mark::area).collect()
}

/// Letters reach up some 70 % of their size and down 20 %.
fn touch(a: Area, b: Area) -> bool {
    let tight =
        |a: Area| Area { top: a.top + a.height() * 0.25, bottom: a.bottom - a.height() * 0.1, ..a };
    let (a, b) = (tight(a), tight(b));
    a.left < b.right - 0.1 && b.left < a.right - 0.1 && a.top < b.bottom && b.top < a.bottom
}

#[test]
fn nothing_is_printed_outside_of_the_margins() {
    let setter = Setter::new().expect("fonts");
    for (what, drafted) in all(&setter) {
        for (n, page) in drafted.pages.iter().enumerate() {
            for mark in &page.marks {
                let area = mark.area();
                assert!(is_inside(area, drafted.sheet.area()), "{what}, page {n}: {area:?}");
            }
        }
    }
}

#[test]
fn nothing_is_printed_over_a_text() {
    let setter = Setter::new().expect("fonts");
    for (what, drafted) in all(&setter) {
        for (n, page) in drafted.pages.iter().enumerate() {
            let texts = read(page);
            for (i, a) in texts.iter().enumerate() {
                for b in &texts[i + 1..] {
                    assert!(!touch(*a, *b), "{what}, page {n}: {a:?} over {b:?}");
                }
            }
        }
    }
}

#[test]
fn whatever_is_printed_is_valid() {
    for text in nasty() {
        let texts = [
            head(Sheet::A4, &text).pdf(),
            review(Sheet::A4, &text).pdf(),
            cover(Sheet::A4, &text).pdf(),
        ];
        for pdf in texts {
            assert!(
                pdf.is_ok(),
                "{:?} of {:?}",
                pdf.err(),
                text.chars().take(20).collect::<String>()
            );
        }
    }
}
