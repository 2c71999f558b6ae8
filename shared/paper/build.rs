//! Takes the four fonts we print with out of the package that carries seventeen, so that a program
//! grows by 1.3 MB and not by 9.8.
#![expect(clippy::expect_used, reason = "a build that lacks a font must stop")]

use std::path::Path;

/// What the file is called for us, and the PostScript name that the font gives itself.
const FONTS: [(&str, &str); 4] = [
    ("text", "LibertinusSerif-Regular"),
    ("italic", "LibertinusSerif-Italic"),
    ("strong", "LibertinusSerif-Semibold"),
    ("mono", "DejaVuSansMono"),
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let out = std::env::var_os("OUT_DIR").expect("cargo says where to build");
    for (file, name) in FONTS {
        let font = typst_assets::fonts()
            .find(|font| postscript_name(font).as_deref() == Some(name))
            .unwrap_or_else(|| panic!("typst-assets no longer carries the font {name}"));
        std::fs::write(Path::new(&out).join(file), font).expect("the build directory is writable");
    }
}

/// Entry 6 of the font's name table (OpenType, «name»), as Windows writes it: UTF-16, big-endian.
fn postscript_name(font: &[u8]) -> Option<String> {
    let tables = usize::from(number(font, 4)?);
    let record =
        (0..tables).map(|i| 12 + 16 * i).find(|at| font.get(*at..at + 4) == Some(b"name"))?;
    let table = font.get(long(font, record + 8)?..)?;
    let texts = usize::from(number(table, 4)?);
    let entry = (0..usize::from(number(table, 2)?))
        .map(|i| 6 + 12 * i)
        .find(|at| number(table, *at) == Some(3) && number(table, at + 6) == Some(6))?;
    let length = usize::from(number(table, entry + 8)?);
    let start = texts + usize::from(number(table, entry + 10)?);
    let units = table.get(start..start + length)?.chunks_exact(2);
    String::from_utf16(&units.map(|u| u16::from_be_bytes([u[0], u[1]])).collect::<Vec<_>>()).ok()
}

fn number(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn long(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?)).ok()
}
