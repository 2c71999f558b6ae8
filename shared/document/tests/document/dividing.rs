//! A part holds its pages, and nothing of the others.

use std::collections::BTreeSet;

use document::{DocumentError, Format, TextLayout, inspect, part, sniff, texts};

use crate::SHORT;
use crate::counting::raster_page;
use crate::outside::{Sample, convert, pdfinfo_pages, pdfs, postscripts, raster, said};
use crate::pdf::{file_with, line, pages, stream};

fn pdf_part(bytes: &[u8], from: u32, to: u32) -> Vec<u8> {
    part(bytes, Format::Pdf, from..=to, &SHORT).expect("it can be divided")
}

fn read(bytes: &[u8]) -> Vec<String> {
    texts(bytes, &TextLayout::default(), 1 << 20).expect("it can be read")
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// `qpdf` finds nothing to complain about.
fn assert_valid(pdf: &[u8], name: &str) {
    if let Some(said) = said(pdf, "qpdf --check in 2>&1") {
        assert!(said.contains("No syntax or stream encoding errors"), "{name}: {said}");
    }
}

/// Two pages that share whatever pages can share. What belongs to page 1 alone is called `mine`, to page 2 alone or to
/// nobody's page `secret`.
fn entangled(type_of_page_2: &str) -> Vec<u8> {
    let form = |dict: &str, text: &str| {
        stream(&format!("/Type/XObject/Subtype/Form/BBox[0 0 200 300]{dict}"), &line(text))
    };
    let image = |pixel: &str| {
        stream(
            "/Type/XObject/Subtype/Image/Width 6/Height 1/BitsPerComponent 8/ColorSpace/DeviceGray/Metadata 20 0 R",
            pixel,
        )
    };
    let resources = "<</Font<</F1 3 0 R/T3 24 0 R>>/XObject<</Fm1 8 0 R/Fm2 9 0 R/Im1 10 0 R/Im2 11 0 R>>\
        /Properties<</Mc1 15 0 R/Mc2 16 0 R/Mc3 <</Type/Other/Lang(mine property)/Next 5 0 R/All[(secret array)]>>>>\
        /ExtGState<</Gs1 <</CA 0.5>>/Gs2 <</CA 0.25/Secret(secret state)>>>>>>";
    let objects = [
        "<</Type/Catalog/Pages 2 0 R/Outlines 12 0 R/Names<</Dests 13 0 R/EmbeddedFiles<</Names[(secret.txt) 14 0 R]>>\
         /JavaScript<</Names[(secret)<</S/JavaScript/JS(secret script)>>]>>>>/Metadata 20 0 R\
         /OpenAction[5 0 R/Fit]/AcroForm<</Fields[17 0 R]/DR<</Font<</F1 3 0 R>>>>>>\
         /StructTreeRoot 18 0 R/PageLabels<</Nums[0<</P(secret label)>>]>>\
         /OCProperties<</OCGs[15 0 R 16 0 R]/D<</Name(secret layers)/OFF[15 0 R 16 0 R]/Order[15 0 R 16 0 R]>>>>\
         /AF[14 0 R]>>".to_owned(),
        format!("<</Type/Pages/Count 2/Kids[4 0 R 5 0 R]/MediaBox[0 0 200 300]/Resources {resources}>>"),
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Secret(secret font)/FontDescriptor<</Type/FontDescriptor/FontName/Helvetica/Flags 32\
         /Secret 7 0 R/FontBBox[0 0 9 9]/Style<</Page 5 0 R/File 14 0 R/Contents(mine style)>>>>>>".to_owned(),
        "<</Type/Page/Parent 2 0 R/Contents[6 0 R]/Annots[19 0 R 17 0 R 23 0 R]/StructParents 0/B[21 0 R]\
         /PieceInfo<</X(secret piece)>>/Thumb 11 0 R/AA<</O<</S/URI/URI(secret)>>>>>>".to_owned(),
        format!("<<{type_of_page_2}/Parent 2 0 R/Contents 7 0 R/Annots[22 0 R]/StructParents 1>>"),
        stream("", &format!("{} /Fm1 Do /Im1 Do /OC /Mc1 BDC EMC /Gs1 gs /Span /Mc3 BDC EMC BT /T3 9 Tf (a) Tj ET", line("mine page"))),
        stream("", &format!("{} /Fm2 Do /Im2 Do /OC /Mc2 BDC EMC BT /T3 9 Tf (b) Tj ET", line("secret page"))),
        // A form without resources of its own uses those of the page.
        form("/Matrix[1 0 0 1 0 -50]/PieceInfo<</X(secret piece)>>/StructParent 4/Metadata 20 0 R", "mine form"),
        form("/Resources<</Font<</F1 3 0 R>>>>", "secret form"),
        image("mine_i"),
        image("secret"),
        "<</Type/Outlines/First<</Title(secret outline)/Dest[5 0 R/Fit]>>>>".to_owned(),
        "<</Names[(secret destination)[5 0 R/Fit]]>>".to_owned(),
        "<</Type/Filespec/F(secret.txt)/EF<</F 20 0 R>>>>".to_owned(),
        "<</Type/OCG/Name(mine layer)/Secret 5 0 R>>".to_owned(),
        "<</Type/OCG/Name(secret layer)>>".to_owned(),
        "<</Type/Annot/Subtype/Widget/FT/Tx/T(secret name)/V(secret value)/F 4/Rect[10 10 60 20]/P 5 0 R\
         /AP<</N<</On 8 0 R/Off 9 0 R>>/D 9 0 R>>/AS/On/A<</S/URI/URI(secret)>>/Kids[22 0 R]>>".to_owned(),
        "<</Type/StructTreeRoot/K<</Type/StructElem/S/P/ActualText(secret structure)/Pg 5 0 R>>>>".to_owned(),
        "<</Type/Annot/Subtype/Link/F 4/Rect[10 10 20 20]/Dest[5 0 R/Fit]/Contents(secret note)>>".to_owned(),
        stream("/Type/Metadata/Subtype/XML", "secret metadata"),
        "<</Type/Bead/P 5 0 R>>".to_owned(),
        "<</Type/Annot/Subtype/FreeText/F 4/Rect[10 10 20 20]/Contents(secret text)/AP<</N 9 0 R>>>>".to_owned(),
        "<</Type/Annot/Subtype/Popup/F 4/Rect[10 10 20 20]/Parent 22 0 R/Contents(secret popup)>>".to_owned(),
        "<</Type/Font/Subtype/Type3/FontBBox[0 0 9 9]/FontMatrix[.1 0 0 .1 0 0]/FirstChar 97/LastChar 98/Widths[9 9]\
         /Encoding<</Differences[97/mine/hidden]>>/CharProcs<</mine 25 0 R/hidden 26 0 R>>/Resources<<>>>>".to_owned(),
        stream("", "9 0 d0 % mine glyph"),
        stream("", "9 0 d0 % secret glyph"),
    ];
    file_with(&objects, "/Info<</Title(secret title)/Author(secret author)>>/ID[(secret)(secret)]")
}

#[test]
fn nothing_of_other_pages_or_of_the_document_is_in_a_part() {
    let whole = entangled("/Type/Page");
    assert_valid(&whole, "the whole");
    let object_streams = convert(&whole, "qpdf --object-streams=generate in out");
    for whole in [Some(whole), Some(entangled("")), object_streams].into_iter().flatten() {
        let part = pdf_part(&whole, 1, 1);
        assert_valid(&part, "the part");
        let open = convert(&part, "qpdf --qdf in out").unwrap_or_else(|| part.clone());
        for bytes in [&part, &open] {
            let text = String::from_utf8_lossy(bytes);
            assert!(!text.contains("secret"), "{text}");
        }
        for mine in ["mine page", "mine form", "mine_i", "mine layer", "mine glyph"] {
            assert!(holds(&open, mine), "{mine}: {}", String::from_utf8_lossy(&open));
        }
        assert_eq!(read(&part), ["mine page\nmine form\n\u{fffd}"]);
    }
}

#[test]
fn a_hidden_layer_stays_hidden_in_a_part() {
    let part = pdf_part(&entangled("/Type/Page"), 1, 1);
    let text = String::from_utf8_lossy(&part);
    let (_, layers) = text.split_once("/OCProperties").expect("it has layers");
    let (_, off) = layers.split_once("/OFF [").expect("some are off");
    assert!(off.split(']').next().is_some_and(|off| off.ends_with(" 0 R")), "{layers}");
}

#[test]
fn one_page_of_two_hundred_is_small() {
    let text = "the quick brown fox jumps over the lazy dog ".repeat(20);
    let contents: Vec<String> = (1..=200).map(|n| line(&format!("page {n}. {text}"))).collect();
    let contents: Vec<&str> = contents.iter().map(String::as_str).collect();
    let whole = pages(&contents, "", &[]);
    let part = pdf_part(&whole, 77, 77);
    assert!(whole.len() > 200_000 && part.len() < 2_000, "{} of {}", part.len(), whole.len());
    assert!(read(&part)[0].starts_with("page 77. "));
    let three = pdf_part(&whole, 198, 200);
    assert_eq!(read(&three), read(&whole)[197..]);
}

#[test]
fn parts_of_documents_of_other_programs_are_valid_and_look_the_same() {
    for Sample { name, bytes } in pdfs() {
        let whole = read(bytes);
        for (page, text) in (1..=3_u32).zip(&whole) {
            let part = pdf_part(bytes, page, page);
            assert_valid(&part, name);
            assert_eq!(pdfinfo_pages(&part).unwrap_or(1), 1, "{name}");
            assert_eq!(read(&part), [text.as_str()], "{name}");
            let look = |bytes: &[u8], page: u32| {
                convert(bytes, &format!("pdftoppm -f {page} -l {page} -r 40 in"))
            };
            assert!(look(bytes, page) == look(&part, 1), "page {page} by {name} looks different");
        }
        let both = pdf_part(bytes, 2, 3);
        assert_valid(&both, name);
        assert_eq!(read(&both), whole[1..], "{name}");
    }
}

/// The lines of decompressed content that show text.
fn shown(pdf: &[u8]) -> Option<BTreeSet<Vec<u8>>> {
    let open = convert(pdf, "qpdf --qdf in out")?;
    let shows = |line: &&[u8]| {
        let line = line.trim_ascii_end();
        line.ends_with(b"Tj") || line.ends_with(b"TJ")
    };
    Some(open.split(|&b| b == b'\n').filter(shows).map(<[u8]>::to_vec).collect())
}

#[test]
fn no_text_of_another_page_is_in_the_decompressed_part_of_other_programs() {
    for Sample { name, bytes } in pdfs() {
        let parts: Vec<_> = (1..=3).map(|page| pdf_part(bytes, page, page)).collect();
        let Some(lines) = parts.iter().map(|part| shown(part)).collect::<Option<Vec<_>>>() else {
            return;
        };
        assert!(lines.iter().all(|lines| !lines.is_empty()), "{name}");
        for (part, own) in parts.iter().zip(&lines) {
            let open = convert(part, "qpdf --qdf in out").expect("it was there before");
            for other in lines.iter().flatten().filter(|line| !own.contains(*line)) {
                let found = open.windows(other.len()).any(|window| window == other);
                assert!(!found, "{name}: {}", String::from_utf8_lossy(other));
            }
        }
        // Where codes are letters, the words themselves are looked for too.
        let open = convert(&parts[0], "qpdf --qdf in out").expect("it was there before");
        for word in ["C-1002", "C-1003", "value2", "field2", "Outline", "zebra", "jukebox"] {
            assert!(!holds(&open, word), "{name}: {word}");
        }
    }
}

#[test]
fn what_every_program_would_draw_differently_is_not_divided() {
    let refused = |annotation: &str| {
        let page = format!("/Annots[<</Type/Annot/Rect[10 10 20 20]{annotation}>>]");
        part(&pages(&[&line("x")], &page, &[]), Format::Pdf, 1..=1, &SHORT)
    };
    for annotation in ["/F 4/Subtype/Widget/FT/Tx/V(value)", "/F 4/Subtype/Square"] {
        let refused = refused(annotation);
        assert!(matches!(refused, Err(DocumentError::Unsupported { .. })), "{refused:?}");
    }
    for annotation in ["/F 4/Subtype/Widget/FT/Tx", "/F 0/Subtype/Square", "/F 6/Subtype/Square"] {
        assert!(refused(annotation).is_ok(), "{annotation}");
    }
}

#[test]
fn postscript_parts_have_the_prolog_these_pages_and_the_trailer() {
    let whole = "%!PS-Adobe-3.0\n%%Title: secret\n%%For: (secret)\n%%Pages: 3\n%%EndComments\n/prolog {} def\n\
        %%Page: i 1\none\n%%Page: ii 2\n%%BeginDocument: x\n%%Page: 1 1\n%%EndDocument\ntwo\n%%Page: iii 3\nthree\n\
        %%Trailer\nend\n%%EOF\n";
    let part =
        part(whole.as_bytes(), Format::PostScript, 2..=2, &SHORT).expect("it can be divided");
    let expected = "%!PS-Adobe-3.0\n%%Pages: 1\n%%EndComments\n/prolog {} def\n\
        %%Page: 1 1\n%%BeginDocument: x\n%%Page: 1 1\n%%EndDocument\ntwo\n%%Trailer\nend\n%%EOF\n";
    assert_eq!(String::from_utf8_lossy(&part), expected);
}

#[test]
fn postscript_parts_of_other_programs_print_their_pages_alone() {
    let text = "gs -q -dBATCH -dNOPAUSE -dSAFER -sDEVICE=txtwrite -sOutputFile=- in";
    for Sample { name, bytes } in postscripts() {
        for page in 1..=3_u32 {
            let part =
                part(bytes, Format::PostScript, page..=page, &SHORT).expect("it can be divided");
            assert_eq!(inspect(&part, &SHORT).map(|i| i.pages), Ok(1), "{name}");
            let Some(read) = said(&part, text) else { return };
            for other in 1..=3_u32 {
                let found = read.contains(&format!("C-100{other}"));
                assert_eq!(found, other == page, "{name}, page {page}: {read}");
            }
        }
    }
}

#[test]
fn text_parts_are_the_bytes_of_their_pages() {
    let whole = b"one\x0c1\r\n2\r\n3\r\n4 and more\n\x0cend";
    let part = |from, to| part(whole, Format::Text, from..=to, &SHORT).expect("it can be divided");
    assert_eq!(part(1, 1), b"one\x0c");
    assert_eq!(part(2, 2), b"1\r\n2\r\n3\r\n");
    assert_eq!(part(3, 3), b"4 and more\n\x0c");
    assert_eq!(part(4, 4), b"end");
    assert_eq!(part(1, 4), whole);
}

#[test]
fn a_part_that_a_printer_would_take_for_something_else_is_refused() {
    let whole = b"a text about PDF\x0c%PDF-1.7 is how it begins";
    assert!(
        part(&[&[b' '; 1024], &whole[..]].concat(), Format::Text, 1..=1, &TextLayout::default())
            .is_ok()
    );
    let refused =
        part(&[&[b' '; 1024], &whole[..]].concat(), Format::Text, 2..=2, &TextLayout::default());
    assert!(matches!(refused, Err(DocumentError::Damaged { .. })), "{refused:?}");
}

#[test]
fn every_text_part_has_as_many_pages_as_were_asked_for() {
    for whole in [
        "a\x0c\x0cb\n\n\n\n\nc",
        "0123456789012345678901234567890123456789\r\n\r\n\r\nx\ty\tz",
        "ü\n\nü\n\nü\r\n\r\n",
    ] {
        let all = texts(whole.as_bytes(), &SHORT, 1000).expect("it is text");
        let pages = u32::try_from(all.len()).expect("there are few");
        for from in 1..=pages {
            for to in from..=pages {
                let part =
                    part(whole.as_bytes(), Format::Text, from..=to, &SHORT).expect("it is text");
                let range = usize::try_from(from - 1).expect("it is small")
                    ..usize::try_from(to).expect("it is");
                assert_eq!(
                    texts(&part, &SHORT, 1000).expect("it is text"),
                    all[range],
                    "{whole:?} {from} {to}"
                );
            }
        }
    }
}

#[test]
fn raster_parts_are_their_pages_with_the_right_total() {
    let whole =
        [b"RaS2".to_vec(), raster_page(10, 3), raster_page(20, 3), raster_page(30, 3)].concat();
    let two = part(&whole, Format::PwgRaster, 2..=3, &SHORT).expect("it can be divided");
    assert_eq!(two, [b"RaS2".to_vec(), raster_page(20, 2), raster_page(30, 2)].concat());
    if let Some(raster) = raster() {
        let one = part(&raster, Format::PwgRaster, 2..=2, &SHORT).expect("it can be divided");
        assert_eq!(inspect(&one, &SHORT).map(|i| i.pages), Ok(1));
    }
}

#[test]
fn pages_that_are_not_there_and_a_wrong_format_are_refused() {
    let whole = pages(&[&line("x"), &line("y")], "", &[]);
    #[expect(clippy::reversed_empty_ranges, reason = "it is refused")]
    for range in [0..=1, 2..=1, 1..=3, 3..=3] {
        let refused = part(&whole, Format::Pdf, range.clone(), &SHORT);
        let expected =
            DocumentError::NoSuchPages { from: *range.start(), to: *range.end(), pages: 2 };
        assert_eq!(refused, Err(expected));
    }
    let refused = part(&whole, Format::Text, 1..=1, &SHORT);
    assert_eq!(
        refused,
        Err(DocumentError::OtherFormat { asked: Format::Text, found: Format::Pdf })
    );
    assert_eq!(sniff(&pdf_part(&whole, 1, 1)), Some(Format::Pdf));
}
