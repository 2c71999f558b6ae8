//! A drafted document becomes a file: PDF 1.7, PDF/A-2a (ISO 19005-2) and PDF/UA-1 (ISO 14289-1).

use krilla::color::luma;
use krilla::configure::{Accessibility, Archival, ConfigurationBuilder};
use krilla::destination::XyzDestination;
use krilla::error::KrillaError;
use krilla::geom::{PathBuilder, Point, Rect};
use krilla::metadata::{DateTime, Metadata};
use krilla::num::NormalizedF32;
use krilla::outline::{Outline, OutlineNode};
use krilla::page::PageSettings;
use krilla::paint::{Fill, FillRule, Stroke};
use krilla::surface::Surface;
use krilla::tagging::{Artifact, ArtifactType, ContentTag, SpanTag};
use krilla::text::{GlyphId, KrillaGlyph};
use krilla::{Document, SerializeSettings};

use crate::draft::{Ink, Page, Reason};
use crate::error::PaperError;
use crate::face::Faces;
use crate::letters::bounded;
use crate::parts::Parts;
use crate::setting::{Glyph, Line, Style};
use crate::sheet::{Area, Sheet};

/// An entry of the list of contents that a viewer shows: its words, page and height.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) words: String,
    pub(crate) page: usize,
    pub(crate) y: f32,
}

/// Everything a file is made of.
pub(crate) struct Drafted {
    pub(crate) sheet: Sheet,
    pub(crate) title: String,
    pub(crate) subject: String,
    pub(crate) made_by: String,
    pub(crate) made_at: DateTime,
    pub(crate) pages: Vec<Page>,
    pub(crate) parts: Parts,
    pub(crate) contents: Vec<Entry>,
}

/// The bytes of the file. They depend on the draft alone.
pub(crate) fn write(mut drafted: Drafted, faces: &Faces) -> Result<Vec<u8>, PaperError> {
    let mut document = Document::new_with(settings()?);
    let (width, height) = drafted.sheet.size();
    let size = PageSettings::from_wh(width, height);
    for page in &drafted.pages {
        let mut sheet = document.start_page_with(size.clone().unwrap_or_default());
        let mut surface = sheet.surface();
        for mark in &page.marks {
            let identifier = surface.start_tagged(tag(mark.reason));
            draw(&mut surface, &mark.ink, faces);
            surface.end_tagged();
            if let Reason::Part(part) = mark.reason {
                drafted.parts.mark(part, identifier);
            }
        }
        surface.finish();
        sheet.finish();
    }
    document.set_outline(outline(&drafted.contents));
    document.set_metadata(metadata(&drafted));
    document.set_tag_tree(drafted.parts.tree().with_lang(Some("en".to_owned())));
    document.finish().map_err(|error| PaperError::Pdf(in_words(&error)))
}

/// Longest explanation of what is not valid, in characters.
const MAX_REASON_CHARS: usize = 300;

fn in_words(error: &KrillaError) -> String {
    let reason = match error {
        KrillaError::Validation(found) => format!("{error}: {found:?}"),
        KrillaError::Font(..)
        | KrillaError::Limit(_)
        | KrillaError::DuplicateNamedDestination(_)
        | KrillaError::DuplicateTagId(..)
        | KrillaError::UnknownTagId(..) => error.to_string(),
    };
    bounded(&reason, MAX_REASON_CHARS).into_owned()
}

fn settings() -> Result<SerializeSettings, PaperError> {
    let configuration = ConfigurationBuilder::new()
        .with_archival_validator(Archival::A2_A)
        .with_accessibility_validator(Accessibility::UA1)
        .finish()
        .map_err(|error| PaperError::Pdf(format!("{error:?}")))?;
    Ok(SerializeSettings { configuration, enable_tagging: true, ..SerializeSettings::default() })
}

fn metadata(drafted: &Drafted) -> Metadata {
    Metadata::new()
        .title(drafted.title.clone())
        .description(drafted.subject.clone())
        .language("en".to_owned())
        .creator(drafted.made_by.clone())
        .producer("Decklog".to_owned())
        .creation_date(drafted.made_at)
}

fn outline(contents: &[Entry]) -> Outline {
    let mut outline = Outline::new();
    for entry in contents {
        let place = XyzDestination::new(entry.page, Point::from_xy(0.0, entry.y));
        outline.push_child(OutlineNode::new(entry.words.clone(), place));
    }
    outline
}

fn tag(reason: Reason) -> ContentTag<'static> {
    let artifact = |kind| ContentTag::Artifact(Artifact::with_kind(kind));
    match reason {
        Reason::Part(_) => ContentTag::Span(SpanTag::empty()),
        Reason::Decoration => artifact(ArtifactType::Layout),
        Reason::Foot => artifact(ArtifactType::Footer),
    }
}

fn draw(surface: &mut Surface<'_>, ink: &Ink, faces: &Faces) {
    match ink {
        Ink::Text { x, baseline, line, style } => text(surface, *x, *baseline, line, style, faces),
        Ink::Fill { areas, grey } => {
            surface.set_stroke(None);
            surface.set_fill(Some(fill(*grey)));
            shape(surface, areas);
        }
        Ink::Frame { area, width, grey } => {
            let stroke = Stroke { width: *width, paint: paint(*grey), ..Stroke::default() };
            surface.set_fill(None);
            surface.set_stroke(Some(stroke));
            shape(surface, &[*area]);
        }
    }
}

fn paint(grey: u8) -> krilla::paint::Paint {
    luma::Color::new(grey).into()
}

fn fill(grey: u8) -> Fill {
    Fill { paint: paint(grey), opacity: NormalizedF32::ONE, rule: FillRule::NonZero }
}

fn shape(surface: &mut Surface<'_>, areas: &[Area]) {
    let mut path = PathBuilder::new();
    let rects = areas.iter().filter_map(|a| Rect::from_ltrb(a.left, a.top, a.right, a.bottom));
    rects.for_each(|rect| path.push_rect(rect));
    if let Some(path) = path.finish() {
        surface.draw_path(&path);
    }
}

/// A line in as many runs as it has faces.
fn text(surface: &mut Surface<'_>, x: f32, y: f32, line: &Line, style: &Style, faces: &Faces) {
    surface.set_stroke(None);
    surface.set_fill(Some(fill(style.grey)));
    let mut x = x;
    for run in line.shaped.glyphs[line.glyphs.clone()].chunk_by(|a, b| a.face == b.face) {
        let face = run.first().map_or(style.face, |glyph| glyph.face);
        let glyphs: Vec<KrillaGlyph> = run.iter().map(|glyph| placed(glyph, style)).collect();
        let start = Point::from_xy(x, y);
        surface.draw_glyphs(start, &glyphs, faces.font(face), &line.shaped.text, style.size, false);
        x += run.iter().map(|glyph| glyph.advance * style.size + style.tracking).sum::<f32>();
    }
}

fn placed(glyph: &Glyph, style: &Style) -> KrillaGlyph {
    KrillaGlyph {
        glyph_id: GlyphId::new(glyph.id),
        text_range: glyph.stands_for.clone(),
        x_advance: glyph.advance + style.tracking / style.size,
        x_offset: glyph.dx,
        y_offset: glyph.dy,
        y_advance: 0.0,
        location: None,
    }
}
