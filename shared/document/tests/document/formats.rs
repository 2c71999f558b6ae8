//! What a document is, by its content alone.

use document::{DocumentError, Format, TextLayout, inspect, sniff};

#[test]
fn a_format_is_known_by_its_content() {
    for (bytes, format) in [
        (&b"%PDF-1.4\n"[..], Some(Format::Pdf)),
        (b"\n\n junk %PDF-2.0\n", Some(Format::Pdf)),
        (b"%!PS-Adobe-3.0\n", Some(Format::PostScript)),
        (b"\x04%!PS\n", Some(Format::PostScript)),
        (
            b"\x1b%-12345X@PJL JOB\r\n@PJL ENTER LANGUAGE=POSTSCRIPT\r\n%!PS\n",
            Some(Format::PostScript),
        ),
        (b"\x1b%-12345X%!PS-Adobe-3.0\n", Some(Format::PostScript)),
        (b"\x1b%-12345X@PJL ENTER LANGUAGE=PDF\r\n%PDF-1.7\n", Some(Format::Pdf)),
        (b"RaS2PwgRaster\0", Some(Format::PwgRaster)),
        (b"one\ttwo\r\nthree\x0cfour\x08_", Some(Format::Text)),
        ("\u{feff}Müller".as_bytes(), Some(Format::Text)),
        (b"M\xfcller in Latin-1", Some(Format::Text)),
        (b"\x1b%-12345X@PJL ENTER LANGUAGE=PCL\r\n\x1bE", None),
        (b"with an escape \x1b[1m", None),
        (b"with a NUL \0", None),
        (b"Windows \x93quotes\x94 are controls in Latin-1", None),
        ("a control of UTF-8 \u{85}".as_bytes(), None),
        (b"RaS3 is CUPS's own", Some(Format::Text)),
        (b"", None),
    ] {
        assert_eq!(sniff(bytes), format, "{}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn the_header_of_a_pdf_may_be_anywhere_in_its_first_1024_bytes() {
    let after = |n: usize| [vec![b' '; n], b"%PDF-1.7\n".to_vec()].concat();
    assert_eq!(sniff(&after(1018)), Some(Format::Pdf));
    assert_eq!(sniff(&after(1019)), Some(Format::Text));
}

#[test]
fn what_is_empty_or_unknown_is_refused_as_such() {
    let layout = TextLayout::default();
    assert_eq!(inspect(b"", &layout), Err(DocumentError::Empty));
    assert_eq!(inspect("\u{feff}".as_bytes(), &layout), Err(DocumentError::Empty));
    assert_eq!(inspect(b"\x7fELF\0", &layout), Err(DocumentError::Unknown));
}

#[test]
fn a_format_has_a_word_that_is_read_back() {
    for format in Format::ALL {
        assert_eq!(format.to_string().parse(), Ok(format));
    }
    let error = "docx".parse::<Format>().expect_err("it is none");
    assert!(error.to_string().contains("pwg-raster"), "{error}");
    assert_eq!(Format::PwgRaster.media_type(), "image/pwg-raster");
}
