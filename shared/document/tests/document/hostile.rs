//! Whatever the bytes are, the answer is a document or an error.

use std::process::Command;

use document::{
    DocumentError, Limits, TextLayout, inspect_within, part_within, sniff, texts_within,
};
use proptest::prelude::*;

use crate::SHORT;
use crate::counting::raster_page;
use crate::outside::{pdfs, postscripts, raster};
use crate::pdf::{file, line, pages, stream};

/// Enough for every sample, and little enough that nothing takes long.
const LIMITS: Limits = Limits {
    bytes: 1 << 20,
    pages: 1000,
    objects: 10_000,
    values: 100_000,
    stream: 4 << 20,
    text: 1 << 20,
    work: 16 << 20,
};
/// How much memory the process of the test with bombs may take, in KiB.
const MEMORY: u64 = 300 << 10;
/// Tells the process that it is the one with little memory.
const LITTLE: &str = "DECKLOG_DOCUMENT_LITTLE_MEMORY";

/// Asks everything about a document; a part that is made is good.
fn ask(bytes: &[u8]) {
    let layout = TextLayout::default();
    let inspected = inspect_within(bytes, &layout, &LIMITS);
    let _ = texts_within(bytes, &layout, 100_000, &LIMITS);
    let (Ok(inspected), Some(format)) = (inspected, sniff(bytes)) else { return };
    if let Ok(part) = part_within(bytes, format, 1..=1, &layout, &LIMITS) {
        let again = inspect_within(&part, &layout, &LIMITS);
        assert_eq!(again.map(|part| part.pages), Ok(1), "of {}", inspected.pages);
    }
}

/// Numbers that look random and are the same each time (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(end).expect("it is small")).expect("it is small")
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).expect("it is a byte")
    }
}

fn by_hand() -> Vec<Vec<u8>> {
    let form = stream("/Subtype/Form/BBox[0 0 9 9]/Resources<</Font<</F1 3 0 R>>>>", &line("form"));
    let annots = "/Annots[<</Subtype/Stamp/F 4/Rect[1 1 9 9]/AP<</N 8 0 R>>>>]";
    vec![
        pages(&[&line("one"), &line("two (\\101) <41>")], annots, &[form]),
        b"%!PS-Adobe-3.0\n%%Pages: 2\n%%Page: 1 1\n%%BeginData: 5\n12345\n%%Page: 2 2\n%%Trailer\n%%EOF\n".to_vec(),
        b"one\r\ntwo\x0cthree\x08\ttwo\n\n\n\n".to_vec(),
        [b"RaS2".to_vec(), raster_page(10, 2), raster_page(20, 2)].concat(),
    ]
}

fn by_others() -> Vec<&'static [u8]> {
    pdfs().iter().chain(postscripts()).map(|sample| sample.bytes.as_slice()).collect()
}

#[test]
fn a_document_that_is_cut_short_anywhere_is_answered() {
    for bytes in by_hand() {
        for end in 0..bytes.len() {
            ask(&bytes[..end]);
        }
    }
    let raster = raster().unwrap_or_default();
    for bytes in by_others().into_iter().chain([raster.as_slice()]) {
        for end in (0..bytes.len()).step_by(bytes.len() / 100 + 1) {
            ask(&bytes[..end]);
        }
    }
}

#[test]
fn a_pdf_that_is_cut_short_is_refused() {
    for bytes in
        [by_hand()[0].as_slice()].into_iter().chain(pdfs().iter().map(|s| s.bytes.as_slice()))
    {
        let end = bytes.len() - b"%%EOF\n".len() - 1;
        for end in (0..end).step_by(end / 50) {
            let found = inspect_within(&bytes[..end], &SHORT, &LIMITS);
            // What is left of a header may be text.
            let is_pdf = sniff(&bytes[..end]) == Some(document::Format::Pdf);
            assert!(!is_pdf || found.is_err(), "{end} of {}: {found:?}", bytes.len());
        }
    }
}

#[test]
fn a_document_with_other_bytes_anywhere_is_answered() {
    let mut numbers = Numbers(0x5eed_0fde_c109);
    let mut change = |bytes: &[u8], times: usize| {
        for _ in 0..times {
            let mut changed = bytes.to_vec();
            for _ in 0..=numbers.below(4) {
                let at = numbers.below(changed.len());
                changed[at] = if numbers.below(2) == 0 {
                    numbers.byte()
                } else {
                    changed[at] ^ 1 << numbers.below(8)
                };
            }
            ask(&changed);
        }
    };
    for bytes in by_hand() {
        change(&bytes, 2_000);
    }
    for bytes in by_others() {
        change(bytes, 60);
    }
}

#[test]
fn a_pdf_with_other_numbers_in_it_is_answered() {
    let mut numbers = Numbers(0x00de_c109);
    let good = by_hand().swap_remove(0);
    let digits: Vec<usize> = (0..good.len()).filter(|&at| good[at].is_ascii_digit()).collect();
    for _ in 0..3_000 {
        let mut changed = good.clone();
        changed[digits[numbers.below(digits.len())]] = b"0123456789-R"[numbers.below(12)];
        ask(&changed);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200), head in 0..5_usize) {
        let head: &[u8] = [&b""[..], b"%PDF-1.4\n", b"%!PS-Adobe-3.0\n", b"RaS2PwgRaster\0", b"\x1b%-12345X@PJL\n"][head];
        ask(&[head, &bytes].concat());
    }

    #[test]
    fn any_content_of_a_page_is_answered(tokens in prop::collection::vec(0..24_usize, 0..60)) {
        const TOKENS: [&str; 24] = [
            "BT", "ET", "/F1", "12", "Tf", "Tj", "(x)", "[(a) -9 (b)]", "TJ", "q", "Q", "cm", "1 0 0 1 5 5", "Tm", "Td",
            "<<", ">>", "BI", "ID", "EI", "/Span<</ActualText(y)>>BDC", "EMC", "-1e9", "[",
        ];
        let content: Vec<&str> = tokens.iter().map(|&token| TOKENS[token]).collect();
        ask(&pages(&[&content.join(" ")], "", &[]));
    }
}

fn one_page(resources: &str, content: &str, more: &[String]) -> Vec<u8> {
    let mut objects = vec![
        "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
        "<</Type/Pages/Count 1/Kids[3 0 R]>>".to_owned(),
        format!("<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources{resources}>>"),
        stream("", content),
    ];
    objects.extend_from_slice(more);
    file(&objects)
}

#[test]
fn what_leads_in_a_circle_or_too_deep_is_answered() {
    let form = |resources: &str, content: &str| {
        stream(&format!("/Subtype/Form/BBox[0 0 1 1]{resources}"), content)
    };
    let own = "<</XObject<</A 5 0 R>>>>";
    for bytes in [
        one_page("5 0 R", "", &["5 0 R".to_owned()]),
        one_page("5 0 R", "", &["6 0 R".to_owned(), "5 0 R".to_owned()]),
        one_page(own, "/A Do", &[form(&format!("/Resources{own}"), "/A Do /A Do")]),
        one_page(own, "/A Do", &[form("", "/A Do /A Do")]),
        one_page("<<>>", "", &["<</Length 5 0 R>>\nstream\n\nendstream".to_owned()]),
        one_page(&format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)), "", &[]),
        one_page(&"<</A".repeat(100_000), "", &[]),
        one_page("<<>>", &"[".repeat(100_000), &[]),
        one_page("<<>>", &"(".repeat(100_000), &[]),
        one_page("<<>>", &"q ".repeat(100_000), &[]),
        one_page("<<>>", &"1 ".repeat(100_000), &[]),
        one_page("<<>>", &"BI ID ".repeat(10_000), &[]),
        one_page("<<>>", &"/X <<>> BDC ".repeat(10_000), &[]),
    ] {
        ask(&bytes);
    }
    let bytes = one_page(own, "/A Do", &[form(&format!("/Resources{own}"), "/A Do")]);
    let refused = texts_within(&bytes, &SHORT, 1000, &LIMITS);
    assert!(matches!(refused, Err(DocumentError::Damaged { .. })), "{refused:?}");
}

#[test]
fn forms_that_multiply_are_stopped_by_the_limit_of_work() {
    let names: Vec<String> = (5..15).map(|n| format!("/X{n} {n} 0 R")).collect();
    let resources = format!("<</XObject<<{}>>>>", names.join(""));
    let form = |n: usize| {
        let content = format!("/X{n} Do ").repeat(20);
        stream(&format!("/Subtype/Form/BBox[0 0 1 1]/Resources{resources}"), &content)
    };
    let bytes = one_page(&resources, "/X5 Do", &(6..16).map(form).collect::<Vec<_>>());
    let refused = texts_within(&bytes, &SHORT, 1000, &LIMITS);
    assert!(matches!(refused, Err(DocumentError::TooMuch { .. })), "{refused:?}");
    ask(&bytes);
}

/// A file whose stream `number` is this compressed data.
fn with_stream(dict: &str, data: &[u8], before: &[&str]) -> Vec<u8> {
    let mut out = b"%PDF-1.7\n".to_vec();
    let mut table = String::from("0000000000 65535 f \n");
    for (number, object) in (1..).zip(before) {
        table += &format!("{:010} 00000 n \n", out.len());
        out.extend(format!("{number} 0 obj\n{object}\nendobj\n").into_bytes());
    }
    table += &format!("{:010} 00000 n \n", out.len());
    let (number, size) = (before.len() + 1, before.len() + 2);
    out.extend(format!("{number} 0 obj\n<<{dict}/Length {}>>\nstream\n", data.len()).into_bytes());
    out.extend_from_slice(data);
    out.extend(b"\nendstream\nendobj\n");
    let start = out.len();
    out.extend(format!("xref\n0 {size}\n{table}trailer\n<</Size {size}/Root 1 0 R>>\nstartxref\n{start}\n%%EOF\n").into_bytes());
    out
}

/// Half a gigabyte of nothing, small, as the content of a page, compressed once and twice; and 64 MiB as an object stream
/// and as a cross-reference.
fn bombs() -> Vec<Vec<u8>> {
    let once = miniz_oxide::deflate::compress_to_vec_zlib(&vec![0; 64 << 20], 9);
    let twice = miniz_oxide::deflate::compress_to_vec_zlib(&once, 9);
    let catalog = "<</Type/Catalog/Pages 2 0 R>>";
    let tree = "<</Type/Pages/Count 1/Kids[3 0 R]>>";
    let contents = "4 0 R ".repeat(8);
    let page = format!("<</Type/Page/Parent 2 0 R/Contents[{contents}]>>");
    let before = [catalog, tree, &page];
    vec![
        with_stream("/Filter/FlateDecode", &once, &before),
        with_stream("/Filter[/FlateDecode/FlateDecode]", &twice, &before),
        in_object_stream(&once),
        [
            format!("%PDF-1.7\n1 0 obj\n<</Type/XRef/Size 9/W[1 2 1]/Root 1 0 R/Filter/FlateDecode/Length {}>>\nstream\n", once.len()).as_bytes(),
            &once,
            b"\nendstream\nendobj\nstartxref\n9\n%%EOF\n",
        ]
        .concat(),
    ]
}

/// A file whose catalog is in this object stream.
fn in_object_stream(data: &[u8]) -> Vec<u8> {
    let mut out = b"%PDF-1.7\n".to_vec();
    let head = format!(
        "2 0 obj\n<</Type/ObjStm/N 99999999/First 9/Filter/FlateDecode/Length {}>>\nstream\n",
        data.len()
    );
    out.extend(head.into_bytes());
    out.extend_from_slice(data);
    out.extend(b"\nendstream\nendobj\n");
    let start = out.len();
    let row = "02000002000100000900";
    let xref = format!(
        "<</Type/XRef/Size 3/Index[1 2]/W[1 3 1]/Root 1 0 R/Filter/ASCIIHexDecode/Length {}>>\nstream\n{row}",
        row.len()
    );
    out.extend(
        format!("3 0 obj\n{xref}\nendstream\nendobj\nstartxref\n{start}\n%%EOF\n").into_bytes(),
    );
    out
}

/// Cross-references and headers that promise a great deal.
fn boasts() -> Vec<Vec<u8>> {
    let xref = |table: &str| {
        let head = "%PDF-1.7\n1 0 obj\n<</Type/Catalog>>\nendobj\n";
        format!("{head}{table}\nstartxref\n{}\n%%EOF\n", head.len()).into_bytes()
    };
    vec![
        xref("xref\n0 4294967295\n0000000000 65535 f \ntrailer\n<</Size 4294967295/Root 1 0 R>>"),
        xref("xref\n4294967295 2\n0000000009 00000 n \n0000000009 00000 n \ntrailer\n<</Root 1 0 R>>"),
        xref("2 0 obj\n<</Type/XRef/Size 4294967295/W[1 8 8]/Length 4>>\nstream\nabcd\nendstream\nendobj"),
        xref("2 0 obj\n<</Type/XRef/Size 9/W[1 8 9223372036854775807]/Length 4>>\nstream\nabcd\nendstream\nendobj"),
        xref("2 0 obj\n<</Type/XRef/Size 9/W[1 1 1]/Index[0 4294967295]/Length 9223372036854775807>>\nstream\nabcd"),
        b"%!PS-Adobe-3.0\n%%Pages: 4294967295\n%%Page: 1 1\n%%BeginData: 18446744073709551615\n%%EOF\n".to_vec(),
        b"%!PS-Adobe-3.0\n%%Pages: 1\n%%Page: 1 1\n%%BeginData: 18446744073709551615 ASCII Lines\n%%EOF\n".to_vec(),
        {
            let mut page = raster_page(10, 1);
            page[372..376].copy_from_slice(&[0x1f, 0xff, 0xff, 0xff]);
            page[376..380].copy_from_slice(&[0xff; 4]);
            page[392..396].copy_from_slice(&[0x1f, 0xff, 0xff, 0xff]);
            [b"RaS2".to_vec(), page].concat()
        },
    ]
}

#[test]
fn headers_that_promise_a_great_deal_are_refused() {
    for bytes in boasts() {
        let found = inspect_within(&bytes, &SHORT, &Limits::DEFAULT);
        assert!(found.is_err(), "{found:?}");
    }
}

/// Runs itself again with little memory, where memory can be limited.
#[test]
fn what_grows_when_it_is_decompressed_does_not_fill_memory() {
    if std::env::var_os(LITTLE).is_some() {
        return with_little_memory();
    }
    let name = "hostile::what_grows_when_it_is_decompressed_does_not_fill_memory";
    let program = std::env::current_exe().expect("it has a name");
    let output = Command::new("sh")
        .args(["-c", &format!("ulimit -v {MEMORY} && exec \"$0\" --exact {name} --test-threads 1")])
        .arg(program)
        .env(LITTLE, "yes")
        .output()
        .expect("there is a shell");
    let said = String::from_utf8_lossy(&output.stdout);
    let said = format!("{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

fn with_little_memory() {
    let layout = TextLayout::default();
    for bytes in bombs() {
        let limits = Limits { stream: 16 << 20, ..Limits::DEFAULT };
        let refused = texts_within(&bytes, &layout, 1 << 20, &limits);
        assert!(matches!(refused, Err(DocumentError::TooMuch { .. })), "{refused:?}");
    }
    for bytes in boasts() {
        assert!(inspect_within(&bytes, &layout, &Limits::DEFAULT).is_err());
    }
}
