//! Writes one of each page into a directory: `cargo run -p decklog-paper --example pages -- DIR`.

use std::path::PathBuf;

#[path = "../tests/paper/samples.rs"]
mod samples;

use paper::{PaperError, Sheet};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = PathBuf::from(std::env::args_os().nth(1).unwrap_or_else(|| ".".into()));
    for (sheet, suffix) in [(Sheet::A4, "a4"), (Sheet::Letter, "letter")] {
        for (name, pdf) in all(sheet)? {
            let path = dir.join(format!("{name}-{suffix}.pdf"));
            std::fs::write(&path, pdf)?;
            println!("{}", path.display());
        }
    }
    Ok(())
}

fn all(sheet: Sheet) -> Result<Vec<(&'static str, Vec<u8>)>, PaperError> {
    Ok(vec![
        ("head", samples::head(sheet).pdf()?),
        ("review", samples::review(sheet).pdf()?),
        ("quiet", samples::quiet_review(sheet).pdf()?),
        ("cover", samples::cover(sheet).pdf()?),
    ])
}
