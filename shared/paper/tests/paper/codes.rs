//! Codes are read by somebody else's reader, off pages that are coarse and grey.

use std::path::Path;

use paper::{CoverSheet, Sheet};

use crate::outsider::{Paper, run};
use crate::samples;

fn read(page: &Path) -> Option<String> {
    let page = page.to_str()?;
    run("zbarimg", &["--quiet", "--raw", "--nodbus", "-Sdisable", "-Sqrcode.enable", page])
}

#[test]
fn the_checkpoint_is_read_off_the_page_byte_for_byte() {
    for sheet in [Sheet::A4, Sheet::Letter] {
        let paper = Paper::new(samples::head(sheet).pdf());
        for dpi in ["150", "100"] {
            let Some(page) = paper.pixels(dpi) else { return };
            let Some(said) = read(&page) else { return };
            // The reader ends what it says with a newline of its own.
            assert_eq!(said, format!("{}\n", samples::CHECKPOINT), "{sheet:?} at {dpi} dpi");
        }
    }
}

#[test]
fn the_longest_checkpoint_is_read_off_the_page() {
    let mut head = samples::head(Sheet::A4);
    let missing = paper::MAX_CHECKPOINT_BYTES - head.checkpoint.len();
    let name = "— w.example ";
    head.checkpoint += &format!("{name}{}\n", "A".repeat(missing - name.len() - 1));
    assert_eq!(head.checkpoint.len(), paper::MAX_CHECKPOINT_BYTES);
    let paper = Paper::new(head.pdf());
    let Some(page) = paper.pixels("150") else { return };
    let Some(said) = read(&page) else { return };
    assert_eq!(said, format!("{}\n", head.checkpoint));
}

#[test]
fn the_hash_is_read_off_a_cover_sheet() {
    let cover = samples::cover(Sheet::Letter);
    let paper = Paper::new(cover.pdf());
    for dpi in ["150", "100"] {
        let Some(page) = paper.pixels(dpi) else { return };
        let Some(said) = read(&page) else { return };
        assert_eq!(said.trim_end(), hex(&cover), "at {dpi} dpi");
    }
}

fn hex(cover: &CoverSheet) -> String {
    cover.sha256.iter().map(|byte| format!("{byte:02x}")).collect()
}
