//! Text becomes lines of glyphs of a given width.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use crate::error::PaperError;
use crate::face::{Face, Faces};
use crate::letters::{MAX_TEXT_CHARS, bounded, code_point, is_hidden};

/// How text looks. Lengths are in points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Style {
    pub(crate) face: Face,
    pub(crate) size: f32,
    /// From one baseline to the next.
    pub(crate) leading: f32,
    /// Space added after each glyph.
    pub(crate) tracking: f32,
    /// 0 is black, 255 white.
    pub(crate) grey: u8,
    /// Whether small letters are small capitals.
    pub(crate) caps: bool,
}

impl Style {
    pub(crate) const fn new(face: Face, size: f32, leading: f32) -> Self {
        Self { face, size, leading, tracking: 0.0, grey: 0, caps: false }
    }

    pub(crate) const fn grey(self, grey: u8) -> Self {
        Self { grey, ..self }
    }

    /// Small capitals, spaced as they should be.
    pub(crate) const fn caps(self) -> Self {
        Self { caps: true, tracking: self.size * 0.06, ..self }
    }
}

/// A placed letter or part of one. Lengths are fractions of the font size.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Glyph {
    pub(crate) face: Face,
    pub(crate) id: u32,
    /// The bytes of the text it stands for.
    pub(crate) stands_for: Range<usize>,
    pub(crate) advance: f32,
    pub(crate) dx: f32,
    pub(crate) dy: f32,
}

/// A text with its glyphs, in one line as long as it gets.
#[derive(Debug)]
pub(crate) struct Shaped {
    pub(crate) text: String,
    pub(crate) glyphs: Vec<Glyph>,
}

/// A piece of a shaped text that fits a width.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) shaped: Rc<Shaped>,
    pub(crate) glyphs: Range<usize>,
    /// In points, without the space at its end.
    pub(crate) width: f32,
}

impl Line {
    /// How many letters stand in it.
    fn letters(&self) -> usize {
        let glyphs = &self.shaped.glyphs[self.glyphs.clone()];
        let start = glyphs.first().map_or(0, |glyph| glyph.stands_for.start);
        let end = glyphs.last().map_or(start, |glyph| glyph.stands_for.end);
        self.shaped.text[start..end].chars().count()
    }
}

/// Sets type: it knows the fonts.
pub(crate) struct Setter {
    pub(crate) faces: Faces,
    /// What each letter is printed with, by the face that was asked for.
    known: RefCell<HashMap<(usize, char), Option<Face>>>,
}

impl Setter {
    pub(crate) fn new() -> Result<Self, PaperError> {
        Ok(Self { faces: Faces::new()?, known: RefCell::default() })
    }

    /// `text` in lines of at most `width` points. A newline ends a line; a word that is too long
    /// is divided. There is always at least one line.
    pub(crate) fn lines(&self, text: &str, style: &Style, width: f32) -> Vec<Line> {
        let text = bounded(text, MAX_TEXT_CHARS);
        let mut lines = Vec::new();
        for paragraph in text.trim_end().split('\n') {
            let shaped = Rc::new(self.shape(paragraph, style));
            lines.extend(crate::wrap::wrap(&shaped, style, width));
        }
        lines
    }

    /// The same for a place that holds `most` lines: the last of them says how much is missing.
    pub(crate) fn few_lines(
        &self,
        text: &str,
        style: &Style,
        width: f32,
        most: usize,
    ) -> Vec<Line> {
        let mut lines = self.lines(text, style, width);
        if lines.len() > most {
            let dropped = lines.split_off(most.saturating_sub(1));
            let missing: usize = dropped.iter().map(Line::letters).sum();
            let words = format!("… (+{missing} characters)");
            lines.extend(self.lines(&words, style, width).into_iter().take(1));
        }
        lines
    }

    /// The width of `text` in one line, in points.
    pub(crate) fn width(&self, text: &str, style: &Style) -> f32 {
        let shaped = self.shape(text, style);
        shaped.glyphs.iter().map(|glyph| glyph.advance * style.size + style.tracking).sum()
    }

    fn shape(&self, text: &str, style: &Style) -> Shaped {
        let mut shaped = Shaped { text: String::new(), glyphs: Vec::new() };
        for (face, run) in self.runs(text, style.face) {
            let start = shaped.text.len();
            let raw = self.faces.shape(face, &run, style.caps && face != Face::Mono);
            for (i, glyph) in raw.iter().enumerate() {
                let next = raw[i..].iter().map(|other| other.from).find(|from| *from > glyph.from);
                let stands_for = start + glyph.from..start + next.unwrap_or(run.len());
                let (advance, dx, dy) = (glyph.advance, glyph.dx, glyph.dy);
                shaped.glyphs.push(Glyph { face, id: glyph.id, stands_for, advance, dx, dy });
            }
            shaped.text.push_str(&run);
        }
        shaped
    }

    /// The text in pieces that one face has all letters of.
    fn runs(&self, text: &str, face: Face) -> Vec<(Face, String)> {
        let mut runs: Vec<(Face, String)> = Vec::new();
        let mut add = |face: Face, piece: &str| match runs.last_mut() {
            Some((last, run)) if *last == face => run.push_str(piece),
            Some(_) | None => runs.push((face, piece.to_owned())),
        };
        let mut one = [0; 4];
        for letter in text.chars() {
            let letter = if letter == '\t' { ' ' } else { letter };
            match self.face_for(letter, face) {
                Some(found) => add(found, letter.encode_utf8(&mut one)),
                None => add(face, &code_point(letter)),
            }
        }
        runs
    }

    fn face_for(&self, letter: char, face: Face) -> Option<Face> {
        let key = (face.place(), letter);
        if let Some(known) = self.known.borrow().get(&key) {
            return *known;
        }
        let found = if is_hidden(letter) {
            None
        } else {
            [face, Face::Mono].into_iter().find(|face| self.faces.has(*face, letter))
        };
        self.known.borrow_mut().insert(key, found);
        found
    }
}
