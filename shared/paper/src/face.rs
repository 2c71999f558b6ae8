//! The four fonts, each read for shaping and for embedding.

use harfrust::{Feature, FontRef, ShapeOptions, Shaper, ShaperData, Tag, UnicodeBuffer};
use krilla::text::Font;

use crate::error::PaperError;

/// A font of ours. Libertinus Serif (SIL Open Font License 1.1) has Latin, Greek and Cyrillic;
/// DejaVu Sans Mono (Bitstream Vera licence) has those and many signs besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Face {
    Text,
    Italic,
    Strong,
    Mono,
}

impl Face {
    const ALL: [Self; 4] = [Self::Text, Self::Italic, Self::Strong, Self::Mono];

    const fn name(self) -> &'static str {
        match self {
            Self::Text => "Libertinus Serif",
            Self::Italic => "Libertinus Serif Italic",
            Self::Strong => "Libertinus Serif Semibold",
            Self::Mono => "DejaVu Sans Mono",
        }
    }

    const fn bytes(self) -> &'static [u8] {
        match self {
            Self::Text => include_bytes!(concat!(env!("OUT_DIR"), "/text")),
            Self::Italic => include_bytes!(concat!(env!("OUT_DIR"), "/italic")),
            Self::Strong => include_bytes!(concat!(env!("OUT_DIR"), "/strong")),
            Self::Mono => include_bytes!(concat!(env!("OUT_DIR"), "/mono")),
        }
    }

    pub(crate) const fn place(self) -> usize {
        match self {
            Self::Text => 0,
            Self::Italic => 1,
            Self::Strong => 2,
            Self::Mono => 3,
        }
    }
}

/// One glyph as the font wants it placed. Lengths are fractions of the
/// font size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RawGlyph {
    pub(crate) id: u32,
    /// The byte of the shaped text at which the glyph's letters begin.
    pub(crate) from: usize,
    pub(crate) advance: f32,
    pub(crate) dx: f32,
    pub(crate) dy: f32,
}

struct Cut {
    bytes: FontRef<'static>,
    shaping: ShaperData,
    font: Font,
}

/// All faces, ready to use.
pub(crate) struct Faces {
    cuts: Vec<Cut>,
}

impl Faces {
    pub(crate) fn new() -> Result<Self, PaperError> {
        let read = |face: Face| -> Option<Cut> {
            let bytes = FontRef::new(face.bytes()).ok()?;
            let font = Font::new(face.bytes().into(), 0)?;
            Some(Cut { shaping: ShaperData::new(&bytes), bytes, font })
        };
        let cuts = Face::ALL.map(|face| read(face).ok_or(PaperError::Font(face.name())));
        Ok(Self { cuts: cuts.into_iter().collect::<Result<_, _>>()? })
    }

    /// The font to embed.
    pub(crate) fn font(&self, face: Face) -> Font {
        self.cuts[face.place()].font.clone()
    }

    fn shaper(&self, face: Face) -> Shaper<'_> {
        let cut = &self.cuts[face.place()];
        cut.shaping.shaper(&cut.bytes).build()
    }

    /// Whether the font has a glyph for a letter.
    pub(crate) fn has(&self, face: Face, letter: char) -> bool {
        let mut text = [0; 4];
        let glyphs = self.shape(face, letter.encode_utf8(&mut text), false);
        !glyphs.is_empty() && glyphs.iter().all(|glyph| glyph.id != 0)
    }

    /// Glyphs of a text that runs from left to right and that the font has all letters of.
    /// `caps` asks for small capitals.
    pub(crate) fn shape(&self, face: Face, text: &str, caps: bool) -> Vec<RawGlyph> {
        let shaper = self.shaper(face);
        let mut buffer = UnicodeBuffer::new();
        buffer.push_str(text);
        buffer.guess_segment_properties();
        buffer.set_direction(harfrust::Direction::LeftToRight);
        let features = features(face, caps);
        let shaped = shaper.shape(buffer, ShapeOptions::new().features(&features));
        let unit = 1.0 / fraction(shaper.units_per_em());
        let glyphs = shaped.glyph_infos().iter().zip(shaped.glyph_positions());
        glyphs
            .map(|(info, place)| RawGlyph {
                id: info.glyph_id,
                from: usize::try_from(info.cluster).unwrap_or(0),
                advance: fraction(place.x_advance) * unit,
                dx: fraction(place.x_offset) * unit,
                dy: fraction(place.y_offset) * unit,
            })
            .collect()
    }
}

/// Figures of one width, so that columns of numbers stand under each other; no ligatures where
/// each character counts.
fn features(face: Face, caps: bool) -> Vec<Feature> {
    let feature = |tag: &[u8; 4], on: bool| Feature::new(Tag::new(tag), u32::from(on), ..);
    match face {
        Face::Mono => vec![feature(b"liga", false), feature(b"calt", false)],
        Face::Text | Face::Italic | Face::Strong => {
            vec![feature(b"lnum", true), feature(b"tnum", true), feature(b"smcp", caps)]
        }
    }
}

/// Font units fit 16 bits (OpenType, «head»).
fn fraction(units: i32) -> f32 {
    f32::from(i16::try_from(units).unwrap_or(i16::MAX))
}
