//! Text and tables run down the pages, and on to the next one where a page is full.

use crate::draft::{Ink, Page, Reason};
use crate::look;
use crate::parts::{Part, Parts, Role};
use crate::setting::{Line, Setter, Style};
use crate::sheet::{Area, float};
use crate::write::Entry;

/// The most lines that are kept together on one page.
const KEPT_TOGETHER: usize = 8;

/// A line of text and where in its strip it stands.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    pub(crate) x: f32,
    pub(crate) line: Line,
    pub(crate) style: Style,
    pub(crate) reason: Reason,
}

/// What a page is divided between at the finest: one line of text, or several side by side.
#[derive(Debug, Clone, Default)]
pub(crate) struct Strip {
    /// White above it; none at the top of a page.
    pub(crate) above: f32,
    pub(crate) height: f32,
    pub(crate) pieces: Vec<Piece>,
    /// A rule under it: strength in points, and grey.
    pub(crate) rule: Option<(f32, u8)>,
    /// A box to tick, at its right end.
    pub(crate) tick: bool,
}

impl Strip {
    /// The height without the white above a rule.
    fn text_height(&self) -> f32 {
        self.pieces.iter().map(|piece| piece.style.leading).fold(0.0, f32::max)
    }
}

/// A document as it grows.
pub(crate) struct Flow<'a> {
    pub(crate) setter: &'a Setter,
    pub(crate) area: Area,
    pub(crate) pages: Vec<Page>,
    pub(crate) parts: Parts,
    pub(crate) contents: Vec<Entry>,
    /// Where the next thing goes, in points from the sheet's upper edge.
    pub(crate) y: f32,
    /// What stands on top of each further page of a table.
    repeated: Vec<Strip>,
}

impl<'a> Flow<'a> {
    /// An empty first page, printed on inside `area`.
    pub(crate) fn new(setter: &'a Setter, area: Area) -> Self {
        Self {
            setter,
            area,
            pages: vec![Page::default()],
            parts: Parts::default(),
            contents: Vec::new(),
            y: area.top,
            repeated: Vec::new(),
        }
    }

    /// Marks a mark on the current page.
    pub(crate) fn ink(&mut self, ink: Ink, reason: Reason) {
        if let Some(page) = self.pages.last_mut() {
            page.add(ink, reason);
        }
    }

    /// A rule from margin to margin at the current height.
    pub(crate) fn rule(&mut self, strength: f32, grey: u8) {
        let (left, right, y) = (self.area.left, self.area.right, self.y);
        if let Some(page) = self.pages.last_mut() {
            page.rule(left, right, y, strength, grey);
        }
        self.y += strength;
    }

    /// White, unless at the top of a page.
    pub(crate) fn gap(&mut self, height: f32) {
        if self.y > self.area.top {
            self.y = (self.y + height).min(self.area.bottom);
        }
    }

    /// White between blocks: a sheet that is shorter than A4 has less.
    pub(crate) fn loose(&self, white: f32) -> f32 {
        if self.area.bottom < look::TALL { white * 0.62 } else { white }
    }

    /// How much fits under the current height.
    pub(crate) fn room(&self) -> f32 {
        self.area.bottom - self.y
    }

    /// Goes on to the next page unless `height` fits here or would not fit there either.
    pub(crate) fn need(&mut self, height: f32) {
        let head: f32 = self.repeated.iter().map(|strip| strip.above + strip.height).sum();
        if height > self.room() && height + head <= self.area.height() {
            self.turn();
        }
    }

    /// The next page, with the head of the table that goes on there.
    fn turn(&mut self) {
        self.pages.push(Page::default());
        self.y = self.area.top - look::TOP_RULE_ABOVE;
        self.rule(1.2, 0);
        self.y = self.area.top;
        for strip in self.repeated.clone() {
            self.put(strip);
        }
    }

    /// What stands on top of further pages from here on.
    pub(crate) fn repeat(&mut self, strips: Vec<Strip>) {
        self.repeated = strips;
    }

    /// Strips that belong together: on one page if they fit one, else divided between strips.
    pub(crate) fn strips(&mut self, strips: Vec<Strip>) {
        let height = strips.iter().map(|strip| strip.above + strip.height).sum();
        self.need(height);
        for strip in strips {
            if strip.above + strip.height > self.room() {
                self.turn();
            }
            self.put(strip);
        }
    }

    fn put(&mut self, strip: Strip) {
        if self.y > self.area.top {
            self.y += strip.above;
        }
        let top = self.y;
        // What stands side by side stands on one line, whatever its size.
        let size = strip.pieces.iter().map(|piece| piece.style.size).fold(0.0, f32::max);
        let baseline = top + strip.text_height() / 2.0 + size * MIDDLE;
        let Strip { height, pieces, rule, tick, .. } = strip;
        for Piece { x, line, style, reason } in pieces {
            self.ink(Ink::Text { x, baseline, line, style }, reason);
        }
        if tick {
            self.tick(top);
        }
        self.y = top + height;
        if let Some((strength, grey)) = rule {
            self.y -= strength;
            self.rule(strength, grey);
        }
    }

    fn tick(&mut self, top: f32) {
        let (right, size) = (self.area.right - 4.0, 8.0);
        let area = Area { left: right - size, right, top: top + 2.0, bottom: top + 2.0 + size };
        self.ink(Ink::Frame { area, width: 0.6, grey: look::GREY }, Reason::Decoration);
    }

    /// A paragraph from margin to margin.
    pub(crate) fn paragraph(&mut self, text: &str, style: Style) {
        let part = self.parts.add(Role::Paragraph);
        let area = self.area;
        self.text(text, style, area.left, area.width(), Reason::Part(part));
    }

    /// Text that begins at `x` and is at most `width` wide.
    pub(crate) fn text(&mut self, text: &str, style: Style, x: f32, width: f32, reason: Reason) {
        let lines = self.setter.lines(text, &style, width);
        let strip = |line| Strip {
            height: style.leading,
            pieces: vec![Piece { x, line, style, reason }],
            ..Strip::default()
        };
        let strips: Vec<Strip> = lines.into_iter().map(strip).collect();
        if strips.len() <= KEPT_TOGETHER {
            self.strips(strips);
        } else {
            strips.into_iter().for_each(|strip| self.strips(vec![strip]));
        }
    }

    /// The heading of a section; it stays with at least `follows` points of what follows.
    pub(crate) fn heading(&mut self, words: &str, follows: f32) {
        self.gap(self.loose(look::SECTION_GAP));
        self.need(look::HEADING.leading + follows);
        let part = self.parts.add_heading(2, words);
        self.contents.push(Entry {
            words: words.to_owned(),
            page: self.pages.len() - 1,
            y: self.y,
        });
        let (left, width) = (self.area.left, self.area.width());
        self.text(words, look::HEADING, left, width, Reason::Part(part));
    }

    /// Text at a fixed place of the current page; gives back its height.
    pub(crate) fn block(&mut self, text: &str, style: Style, place: Place, part: Part) -> f32 {
        self.block_for(text, style, place, Reason::Part(part))
    }

    /// The same for any reason.
    pub(crate) fn block_for(&mut self, text: &str, style: Style, at: Place, why: Reason) -> f32 {
        let lines = self.setter.few_lines(text, &style, at.width, at.lines);
        let height = float(lines.len()) * style.leading;
        for (i, line) in lines.into_iter().enumerate() {
            let x = match at.side {
                Side::Left => at.x,
                Side::Right => at.x + at.width - line.width,
            };
            let baseline = baseline(at.y + float(i) * style.leading, &style);
            self.ink(Ink::Text { x, baseline, line, style }, why);
        }
        height
    }
}

/// Where a block of text goes: its upper left corner, its width and the most lines it may have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) x: f32,
    pub(crate) y: f32,
    pub(crate) width: f32,
    pub(crate) side: Side,
    pub(crate) lines: usize,
}

impl Place {
    /// Most lines of a block.
    pub(crate) const LINES: usize = 6;

    pub(crate) const fn left(x: f32, y: f32, width: f32) -> Self {
        Self { x, y, width, side: Side::Left, lines: Self::LINES }
    }

    pub(crate) const fn on(self, side: Side) -> Self {
        Self { side, ..self }
    }
}

/// To which side of its place text keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

/// How far the baseline is below the middle of a line, as a fraction of the size.
const MIDDLE: f32 = 0.32;

/// Letters stand in the middle of their line.
pub(crate) fn baseline(top: f32, style: &Style) -> f32 {
    top + style.leading / 2.0 + style.size * MIDDLE
}
