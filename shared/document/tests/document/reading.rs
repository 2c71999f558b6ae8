//! What is written on pages, line by line.

use document::{DocumentError, Format, TextLayout, marker, texts};

use crate::SHORT;
use crate::counting::raster_page;
use crate::outside::{pdfs, said};
use crate::pdf::{file, line, pages, stream};

/// Most bytes of text on a page.
const LIMIT: usize = 1 << 20;

fn read(bytes: &[u8]) -> Vec<String> {
    texts(bytes, &TextLayout::default(), LIMIT).expect("it can be read")
}

fn content(content: &str) -> String {
    read(&pages(&[content], "", &[])).concat()
}

#[test]
fn what_stands_on_one_line_is_read_as_one_line() {
    for (drawn, text) in [
        (
            "BT /F1 10 Tf 20 100 Td (Amount:) Tj 100 0 Td (12.50) Tj 0 -12 Td (below) Tj ET",
            "Amount: 12.50\nbelow",
        ),
        ("BT /F1 10 Tf 20 90 Td (below) Tj 0 12 Td (above) Tj ET", "above\nbelow"),
        ("BT /F1 10 Tf 20 100 Td [(In) 10 (voice) -300 (for)] TJ ET", "Invoice for"),
        (
            "BT /F1 10 Tf 14 TL 20 100 Td (one) Tj T* (two) Tj (three) ' 1 0 (four) \" ET",
            "one\ntwo\nthree\nfour",
        ),
        (
            "q 2 0 0 2 0 0 cm BT /F1 10 Tf 1 0 0 1 10 50 Tm (far) Tj ET Q BT /F1 20 Tf 70 100 Td (near) Tj ET",
            "far near",
        ),
        ("BT /F1 10 Tf 20 100 Td (A\\(1\\)\\101\\\nB) Tj ET", "A(1)AB"),
        ("BT /F1 10 Tf 20 100 Td <4869> Tj ET", "Hi"),
        (
            "/Span<</ActualText(fi)>>BDC BT /F1 10 Tf 20 100 Td (\\001\\002) Tj ET EMC BT 50 100 Td (x) Tj ET",
            "fi x",
        ),
        ("BI /W 1 /H 1 /BPC 8 /CS /G ID (\nEI Q\nBT /F1 10 Tf 20 100 Td (after) Tj ET", "after"),
        ("BT 20 100 Td (without a font) Tj ET", ""),
    ] {
        assert_eq!(content(drawn), text, "{drawn}");
    }
}

#[test]
fn a_turned_page_is_read_as_it_is_seen() {
    let turned = "BT /F1 12 Tf 0 1 -1 0 100 20 Tm (first) Tj 0 -20 Td (second) Tj ET";
    assert_eq!(read(&pages(&[turned], "/Rotate 90", &[])), ["first\nsecond"]);
    assert_eq!(read(&pages(&[turned], "", &[])), ["first\nsecond"]);
}

/// A page with a font of two-byte codes, as every modern program makes them.
fn composite(to_unicode: &str, shown: &str) -> Vec<u8> {
    composite_with("[1[600 700] 5 9 250]", to_unicode, shown)
}

fn composite_with(widths: &str, to_unicode: &str, shown: &str) -> Vec<u8> {
    file(&[
        "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
        "<</Type/Pages/Count 1/Kids[3 0 R]>>".to_owned(),
        "<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>".to_owned(),
        stream("", &format!("BT /F1 10 Tf 20 100 Td {shown} Tj ET")),
        format!(
            "<</Type/Font/Subtype/Type0/BaseFont/AAAAAA+X/Encoding/Identity-H{to_unicode}/DescendantFonts[6 0 R]>>"
        ),
        format!("<</Type/Font/Subtype/CIDFontType2/BaseFont/AAAAAA+X/DW 500/W {widths}>>"),
        stream(
            "",
            "1 begincodespacerange <0000> <FFFF> endcodespacerange\n\
            1 beginbfchar <0001> <004D> endbfchar 1 beginbfrange <0002> <0005> <00FC> endbfrange",
        ),
    ])
}

#[test]
fn codes_of_two_bytes_mean_what_their_map_says() {
    assert_eq!(read(&composite("/ToUnicode 7 0 R", "<000100020003>")), ["Müý"]);
}

#[test]
fn widths_of_codes_that_cannot_be_are_not_believed() {
    for widths in [
        "[4294967295[1 2 3]]",
        "[4294967290 9999999999 1]",
        "[-1[1]]",
        "[1 2]",
        "[1]",
        "[[1]]",
        "7",
    ] {
        let bytes = composite_with(widths, "/ToUnicode 7 0 R", "<000100020003>");
        assert_eq!(read(&bytes), ["Müý"], "{widths}");
    }
}

#[test]
fn a_character_nobody_knows_is_read_as_such() {
    assert_eq!(read(&composite("", "<00010002>")), ["\u{fffd}\u{fffd}"]);
    assert_eq!(read(&composite("/ToUnicode 7 0 R", "<00010063>")), ["M\u{fffd}"]);
}

#[test]
fn simple_fonts_are_read_by_the_names_of_their_glyphs() {
    let font =
        "/Encoding<</BaseEncoding/WinAnsiEncoding/Differences[1/A/fi/uni20AC 65/zcaron/g17]>>";
    let bytes = file(&[
        "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
        "<</Type/Pages/Count 1/Kids[3 0 R]>>".to_owned(),
        "<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>".to_owned(),
        stream("", "BT /F1 10 Tf 20 100 Td <010203414243> Tj ET"),
        format!("<</Type/Font/Subtype/Type1/BaseFont/X{font}>>"),
    ]);
    assert_eq!(read(&bytes), ["Afi€ž\u{fffd}C"]);
}

#[test]
fn what_forms_and_annotations_show_is_read() {
    let form = |text: &str| {
        stream(
            "/Type/XObject/Subtype/Form/BBox[0 0 100 20]/Resources<</Font<</F1 3 0 R>>>>",
            &format!("BT /F1 10 Tf 0 0 Td ({text}) Tj ET"),
        )
    };
    let annotation = |flags: u32| {
        format!("<</Type/Annot/Subtype/Widget/F {flags}/Rect[20 50 120 70]/AP<</N 6 0 R>>>>")
    };
    let page = format!("/Annots[{}{}]", annotation(4), annotation(2));
    assert_eq!(read(&pages(&[&line("x")], &page, &[form("field")])), ["x\nfield"]);
    let drawn = "q 1 0 0 1 50 100 cm /Fm0 Do Q";
    let bytes = file(&[
        "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
        "<</Type/Pages/Count 1/Kids[4 0 R]>>".to_owned(),
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>".to_owned(),
        "<</Type/Page/Parent 2 0 R/Contents[5 0 R 5 0 R]/Resources<</XObject<</Fm0 6 0 R>>>>>>"
            .to_owned(),
        stream("", drawn),
        form("drawn"),
    ]);
    assert_eq!(read(&bytes), ["drawn"]);
}

#[test]
fn documents_of_other_programs_are_read_line_by_line() {
    let invoice = marker(r"^Invoice for (\S+)$").expect("it is an expression");
    let amount = marker(r"Amount:\s*([0-9.,]+)").expect("it is an expression");
    for sample in pdfs() {
        let found = read(&sample.bytes);
        let caught = |expression: &regex_lite::Regex| -> Vec<String> {
            let first =
                |text: &String| Some(expression.captures(text)?.get(1)?.as_str().to_owned());
            found.iter().filter_map(first).collect()
        };
        assert_eq!(caught(&invoice), ["C-1001", "C-1002", "C-1003"], "{}: {found:?}", sample.name);
        assert_eq!(caught(&amount), ["1,234.50", "77.10", "9.99"], "{}: {found:?}", sample.name);
    }
}

#[test]
fn documents_of_other_programs_have_the_words_that_others_read() {
    for sample in pdfs() {
        let Some(others) = said(&sample.bytes, "pdftotext -layout in -") else { return };
        let others = others.replace('ﬀ', "ff").replace('ﬁ', "fi").replace('ﬂ', "fl");
        let others = others.replace('ﬃ', "ffi").replace('ﬄ', "ffl");
        let ours = read(&sample.bytes).join("\n");
        let words = |text: &str| -> Vec<String> {
            let mut words: Vec<_> = text.split_whitespace().map(str::to_owned).collect();
            words.sort();
            words
        };
        assert_eq!(words(&ours), words(&others), "{}", sample.name);
    }
}

#[test]
fn the_text_of_text_is_what_is_printed() {
    let read = |text: &str| texts(text.as_bytes(), &SHORT, LIMIT).expect("it is text");
    assert_eq!(read("a\tb \n\n2\x0cc"), ["a       b\n\n2", "c"]);
    assert_eq!(read("0123456789x"), ["0123456789\nx"]);
    assert_eq!(read("bold\rbold\nunder\r_____\nA\x08B"), ["bold\nunder\nB"]);
    let latin = texts(b"M\xfcller", &SHORT, LIMIT).expect("it is text");
    assert_eq!(latin, ["Müller"]);
}

#[test]
fn text_that_cannot_be_read_is_an_error() {
    let postscript = b"%!PS-Adobe-3.0\n%%Pages: 1\n%%Page: 1 1\n%%EOF\n";
    let raster = [b"RaS2".to_vec(), raster_page(1, 1)].concat();
    for (bytes, format) in [(&postscript[..], Format::PostScript), (&raster[..], Format::PwgRaster)]
    {
        assert_eq!(texts(bytes, &SHORT, LIMIT), Err(DocumentError::NoText { format }));
    }
}

#[test]
fn a_page_with_more_text_than_the_limit_is_refused_and_not_cut() {
    let pdf = pages(&[&line("twelve bytes")], "", &[]);
    assert_eq!(texts(&pdf, &SHORT, 12).expect("it fits"), ["twelve bytes"]);
    let refused = texts(&pdf, &SHORT, 11);
    assert!(matches!(refused, Err(DocumentError::TooMuch { limit: 11, .. })), "{refused:?}");
    let refused = texts(b"1234567\n8", &SHORT, 8);
    assert!(matches!(refused, Err(DocumentError::TooMuch { limit: 8, .. })), "{refused:?}");
}
