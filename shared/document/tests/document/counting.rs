//! Pages are counted, and what does not add up is refused.

use document::{
    DocumentError, Format, Inspected, Limits, Size, TextLayout, inspect, inspect_within,
};

use crate::outside::{pdfinfo_pages, pdfs, postscripts, raster};
use crate::pdf::{file, file_with, line, pages};
use crate::{SHORT, outside};

fn count(bytes: &[u8]) -> Result<u32, DocumentError> {
    inspect(bytes, &SHORT).map(|inspected| inspected.pages)
}

fn damage(bytes: &[u8]) -> String {
    match inspect(bytes, &SHORT) {
        Err(DocumentError::Damaged { what, .. } | DocumentError::NoStructure { what }) => what,
        other => panic!("it was not refused: {other:?}"),
    }
}

fn tree(nodes: &[&str]) -> Vec<u8> {
    let mut objects = vec!["<</Type/Catalog/Pages 2 0 R>>".to_owned()];
    objects.extend(nodes.iter().map(|node| (*node).to_owned()));
    file(&objects)
}

#[test]
fn the_pages_of_a_tree_are_counted() {
    let nested = tree(&[
        "<</Type/Pages/Count 3/Kids[3 0 R 4 0 R]>>",
        "<</Type/Page/MediaBox[0 0 10 20]>>",
        "<</Type/Pages/Count 2/Kids[5 0 R 6 0 R]>>",
        "<</Type/Page>>",
        "<</Type/Page>>",
    ]);
    let size = Some(Size { width: 10.0, height: 20.0 });
    let expected = Inspected { format: Format::Pdf, pages: 3, first_page: size };
    assert_eq!(inspect(&nested, &SHORT), Ok(expected));
}

#[test]
fn the_size_of_a_page_is_as_it_is_seen() {
    for (page, size) in [
        ("/MediaBox[0 0 200 300]", Some((200.0, 300.0))),
        ("/MediaBox[200 300 0 0]", Some((200.0, 300.0))),
        ("/MediaBox[0 0 200 300]/Rotate 90", Some((300.0, 200.0))),
        ("/MediaBox[0 0 200 300]/Rotate -90", Some((300.0, 200.0))),
        ("/MediaBox[0 0 200 300]/CropBox[10 10 100 900]", Some((90.0, 290.0))),
        ("/MediaBox[0 0 200 300]/UserUnit 2.5", Some((500.0, 750.0))),
        ("/MediaBox[0 0 200 0]", None),
        ("", None),
    ] {
        let kid = format!("<</Type/Page{page}>>");
        let bytes = tree(&["<</Type/Pages/Count 1/Kids[3 0 R]>>", &kid]);
        let found = inspect(&bytes, &SHORT).expect("it is a document").first_page;
        assert_eq!(found.map(|size| (size.width, size.height)), size, "{page}");
    }
}

#[test]
fn a_tree_that_does_not_add_up_is_refused() {
    for nodes in [
        &["<</Type/Pages/Count 2/Kids[3 0 R]>>", "<</Type/Page>>"][..],
        &["<</Type/Pages/Count 1/Kids[3 0 R 3 0 R]>>", "<</Type/Page>>"],
        &["<</Type/Pages/Count 2/Kids[3 0 R 3 0 R]>>", "<</Type/Page>>"],
        &["<</Type/Pages/Count 1/Kids[2 0 R]>>"],
        &["<</Type/Pages/Count 1/Kids[9 0 R]>>"],
        &["<</Type/Pages/Count 0/Kids[]>>"],
        &["<</Type/Pages/Kids[3 0 R]>>", "<</Type/Page>>"],
        &["<</Type/Pages/Count 1/Kids[<</Type/Page>>]>>"],
        &["<</Type/Pages/Count 1/Kids[3 0 R]>>", "<</Type/Font>>"],
        &["<</Type/Page>>"],
        &["null"],
    ] {
        let what = damage(&tree(nodes));
        assert!(what.contains("page"), "{nodes:?}: {what}");
    }
}

#[test]
fn an_encrypted_pdf_is_refused_as_such() {
    let page = ["<</Type/Catalog/Pages 2 0 R>>".to_owned(), "<<>>".to_owned()];
    assert_eq!(
        count(&file_with(&page, "/Encrypt<</Filter/Standard>>")),
        Err(DocumentError::Encrypted)
    );
    let good = pages(&[&line("x")], "", &[]);
    let command = "qpdf --encrypt '' owner 256 -- in out";
    if let Some(encrypted) = outside::convert(&good, command) {
        assert_eq!(count(&encrypted), Err(DocumentError::Encrypted));
    }
}

#[test]
fn a_pdf_after_other_bytes_is_counted_wherever_its_offsets_begin() {
    let good = pages(&[&line("x"), &line("y")], "", &[]);
    assert_eq!(count(&[b"junk\n", &good[..]].concat()), Ok(2));
    let shifted = pages_after("\n\n\n");
    assert_eq!(count(&shifted), Ok(1));
}

/// A page in a file whose offsets count from the first byte, before the header.
fn pages_after(before: &str) -> Vec<u8> {
    let body = "%PDF-1.4\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n\
        2 0 obj\n<</Type/Pages/Count 1/Kids[3 0 R]>>\nendobj\n3 0 obj\n<</Type/Page>>\nendobj\n";
    let mut file = format!("{before}{body}");
    let at = |word: &str| file.find(word).expect("it is there");
    let rows =
        [at("1 0 obj"), at("2 0 obj"), at("3 0 obj")].map(|at| format!("{at:010} 00000 n \n"));
    let start = file.len();
    file += &format!(
        "xref\n1 3\n{}trailer\n<</Root 1 0 R>>\nstartxref\n{start}\n%%EOF\n",
        rows.concat()
    );
    file.into_bytes()
}

#[test]
fn the_newest_of_several_cross_references_counts() {
    let old = pages(&[&line("x"), &line("y")], "", &[]);
    let start = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let (_, after) = text.rsplit_once("startxref\n").expect("it ends so");
        after.lines().next().expect("there is a number").to_owned()
    };
    let at = old.len();
    let kids = "2 0 obj\n<</Type/Pages/Count 1/Kids[4 0 R]>>\nendobj\n";
    let update = format!(
        "{kids}xref\n2 1\n{at:010} 00000 n \ntrailer\n<</Size 8/Root 1 0 R/Prev {}>>\nstartxref\n{}\n%%EOF\n",
        start(&old),
        at + kids.len()
    );
    assert_eq!(count(&[old, update.into_bytes()].concat()), Ok(1));
}

#[test]
fn postscript_is_counted_by_its_comments() {
    let document =
        |body: &str| format!("%!PS-Adobe-3.0\n%%Pages: 2\n%%EndComments\n{body}").into_bytes();
    let two = "%%Page: 1 1\nshowpage\n%%Page: ii 2\nshowpage\n%%Trailer\n%%EOF\n";
    assert_eq!(count(&document(two)), Ok(2));
    assert_eq!(count(&document(&two.replace('\n', "\r"))), Ok(2));
    assert_eq!(count(&document(&two.replace('\n', "\r\n"))), Ok(2));
    for hidden in [
        "%%BeginDocument: x.eps\n%!PS-Adobe-3.0 EPSF-3.0\n%%Pages: 9\n%%Page: 1 1\n%%EOF\n%%EndDocument\n",
        "%%BeginBinary: 12\n%%Page: 1 1\n\n%%EndBinary\n",
        "%%BeginData: 12 Binary Bytes\n%%Page: 1 1\n\n%%EndData\n",
        "%%BeginData: 2 ASCII Lines\n%%Page: 1 1\n%%Page: 1 1\n%%EndData\n",
        "%%BeginResource: procset x\n%!PS-Adobe-3.0 Resource-ProcSet\n%%EndResource\n",
    ] {
        let body = two.replacen("showpage\n", &format!("{hidden}showpage\n"), 1);
        assert_eq!(count(&document(&body)), Ok(2), "{hidden}");
    }
    let at_end =
        "%!PS-Adobe-3.0\n%%Pages: (atend)\n%%Page: 1 1\n%%Trailer\n%%Pages: 1\n%%EOF\n\x04";
    assert_eq!(count(at_end.as_bytes()), Ok(1));
    let job = format!(
        "\x1b%-12345X@PJL ENTER LANGUAGE=POSTSCRIPT\n{at_end}\x1b%-12345X@PJL EOJ\n\x1b%-12345X"
    );
    assert_eq!(count(job.as_bytes()), Ok(1));
}

#[test]
fn postscript_whose_comments_do_not_add_up_is_refused() {
    for (document, what) in [
        ("%!PS\nshowpage\n", "its comments mean nothing"),
        ("%!PS-Adobe-3.0\n%%Page: 1 1\n%%EOF\n", "does not say how many"),
        ("%!PS-Adobe-3.0\n%%Pages: (atend)\n%%Page: 1 1\n%%EOF\n", "does not say how many"),
        ("%!PS-Adobe-3.0\n%%Pages: 2\n%%Page: 1 1\n%%EOF\n", "has 1 pages and says that it has 2"),
        ("%!PS-Adobe-3.0\n%%Pages: (atend)\n%%Page: 1 1\n%%Pages: 1\n%%EOF\n", "stands on a page"),
        ("%!PS-Adobe-3.0\n%%Pages: x\n%%Page: 1 1\n%%EOF\n", "no number"),
        ("%!PS-Adobe-3.0\n%%Pages: 0\n%%EOF\n", "there are none"),
        ("%!PS-Adobe-3.0\n%%Pages: 1\n%%Page: 1 1\nshowpage\n", "cut short"),
        (
            "%!PS-Adobe-3.0\n%%Pages: 1\n%%Page: 1 1\n%%BeginData: 99\n%%EOF\n",
            "in the middle of included data",
        ),
        (
            "%!PS-Adobe-3.0\n%%Pages: 1\n%%Page: 1 1\n%%BeginDocument: x\n%%EOF\n",
            "in the middle of an included",
        ),
        ("%!PS-Adobe-3.0\n%%Pages: 1\n%%Page: 1 1\n%%EndDocument\n%%EOF\n", "never began"),
        ("%!PS-Adobe-3.0\n%%Pages: 1\n%%Page: 1 1\n%%EOF\nshowpage\n", "follows after its end"),
        ("%!PS-Adobe-3.0\n%%Pages: 1\n%%Page: 1 1\n%!PS-Adobe-3.0\n%%EOF\n", "a second document"),
        (
            "%!PS-Adobe-3.0\n%%Pages: 2\n%%Page: 1 1\n%%Trailer\n%%Page: 2 2\n%%EOF\n",
            "after the trailer",
        ),
    ] {
        let found = damage(document.as_bytes());
        assert!(found.contains(what), "{document}: {found}");
    }
}

#[test]
fn text_is_counted_by_form_feeds_lines_and_columns() {
    for (text, pages) in [
        ("a", 1),
        ("\n", 1),
        ("a\x0c", 1),
        ("\x0c", 1),
        ("\x0c\x0c", 2),
        ("a\x0c\x0cb", 3),
        ("1\n2\n3", 1),
        ("1\n2\n3\n", 1),
        ("1\n2\n3\n4", 2),
        ("1\r\n2\r\n3\r\n", 1),
        ("1\r\n2\r\n3\r\n\r\n", 2),
        ("1\n2\n3\n\x0c4", 2),
        ("1\n2\n3\n\n", 2),
        ("0123456789\n2\n3", 1),
        ("0123456789x\n3", 1),
        ("0123456789x\n3\n4", 2),
        ("0123456789012345678901234567890", 2),
        ("\u{feff}a", 1),
        ("1\n2\n0123456789\rx\n", 1),
    ] {
        assert_eq!(count(text.as_bytes()), Ok(pages), "{text:?}");
    }
    let endless = TextLayout { lines: 0, columns: 0 };
    let long = "x".repeat(1000) + &"\n".repeat(1000) + "\x0cy";
    assert_eq!(inspect(long.as_bytes(), &endless).map(|i| i.pages), Ok(2));
}

/// A page of 8 by `height` grey pixels, all lines the same, compressed.
pub(crate) fn raster_page(height: u8, total: u32) -> Vec<u8> {
    let mut header = vec![0_u8; 1796];
    header[..9].copy_from_slice(b"PwgRaster");
    let mut set = |at: usize, n: u32| header[at..at + 4].copy_from_slice(&n.to_be_bytes());
    for (at, n) in [
        (276, 72),
        (280, 72),
        (372, 8),
        (376, u32::from(height)),
        (384, 8),
        (388, 8),
        (392, 8),
        (452, total),
    ] {
        set(at, n);
    }
    let lines = [height - 1, 3, 0x55, 254, 1, 2, 3, 128];
    [header, lines.to_vec()].concat()
}

#[test]
fn the_lines_of_a_raster_are_walked() {
    let two = [b"RaS2".to_vec(), raster_page(10, 2), raster_page(20, 2)].concat();
    let size = Some(Size { width: 8.0, height: 10.0 });
    let expected = Inspected { format: Format::PwgRaster, pages: 2, first_page: size };
    assert_eq!(inspect(&two, &SHORT), Ok(expected));
    let unknown = [b"RaS2".to_vec(), raster_page(10, 0)].concat();
    assert_eq!(count(&unknown), Ok(1));
}

#[test]
fn a_raster_that_does_not_add_up_is_refused() {
    let good = [b"RaS2".to_vec(), raster_page(10, 1)].concat();
    for end in 4..good.len() {
        let what = damage(&good[..end]);
        assert!(what.contains("cut short") || what.contains("no page"), "{end}: {what}");
    }
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        damage(&bytes)
    };
    let lines = 4 + 1796;
    assert!(with(lines, 10).contains("more lines"));
    assert!(with(lines + 1, 8).contains("longer"));
    assert!(with(4 + 395, 9).contains("as long as its picture"));
    assert!(with(4 + 379, 0).contains("no size"));
    assert!(with(4 + 455, 7).contains("says that it has 7"));
    assert!(with(4, b'x').contains("no page header"));
}

#[test]
fn documents_of_other_programs_have_as_many_pages_as_others_count() {
    for sample in pdfs() {
        let found =
            inspect(&sample.bytes, &SHORT).unwrap_or_else(|e| panic!("{}: {e}", sample.name));
        assert_eq!(found.pages, pdfinfo_pages(&sample.bytes).unwrap_or(3), "{}", sample.name);
        let size = found.first_page.expect("it has a size");
        assert!((size.width - 595.0).abs() < 20.0, "{}: {size:?}", sample.name);
    }
    for sample in postscripts() {
        assert_eq!(count(&sample.bytes), Ok(3), "{}", sample.name);
    }
    if let Some(raster) = raster() {
        let found = inspect(&raster, &SHORT).expect("it is a raster");
        let size = Some(Size { width: 595.0, height: 842.0 });
        assert_eq!((found.format, found.pages, found.first_page), (Format::PwgRaster, 3, size));
    }
}

#[test]
fn a_document_that_asks_for_copies_itself_is_refused() {
    let postscript = |more: &str| format!("%!PS-Adobe-3.0\n{more}%%Pages: 1\n%%Page: 1 1\n%%EOF\n");
    let job =
        |more: &str| format!("\x1b%-12345X@PJL JOB\r\n{more}\r\n@PJL ENTER LANGUAGE=POSTSCRIPT\n");
    let mut page = raster_page(10, 1);
    page[343] = 2;
    for bytes in [
        (job("@PJL SET COPIES=2") + &postscript("")).into_bytes(),
        (job("@PJL SET QTY = 3") + &postscript("")).into_bytes(),
        postscript("%%Requirements: duplex numcopies(2) collate\n").into_bytes(),
        [b"RaS2".to_vec(), page].concat(),
    ] {
        let refused = count(&bytes);
        assert!(matches!(refused, Err(DocumentError::Unsupported { .. })), "{refused:?}");
    }
    let one = job("@PJL SET COPIES=1\n@PJL SET DUPLEX=ON")
        + &postscript("%%Requirements: numcopies(1)\n");
    assert_eq!(count(one.as_bytes()), Ok(1));
}

#[test]
fn more_than_a_limit_is_refused() {
    let pdf = pages(&[&line("x"), &line("y")], "", &[]);
    let text = b"1\x0c2\x0c3";
    let too_much = |bytes: &[u8], limits: Limits| match inspect_within(bytes, &SHORT, &limits) {
        Err(DocumentError::TooMuch { what, .. }) => what,
        other => panic!("it was not refused: {other:?}"),
    };
    let limits = Limits::DEFAULT;
    assert_eq!(too_much(&pdf, Limits { bytes: 100, ..limits }), "bytes");
    assert_eq!(too_much(&pdf, Limits { pages: 1, ..limits }), "pages");
    assert_eq!(too_much(text, Limits { pages: 2, ..limits }), "pages");
    assert_eq!(too_much(&pdf, Limits { objects: 5, ..limits }), "objects");
    assert_eq!(too_much(&pdf, Limits { work: 200, ..limits }), "bytes to be read");
}
