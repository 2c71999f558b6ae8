//! Pages as lists of marks, before anything is written.

use crate::parts::Part;
use crate::setting::{Line, Style};
use crate::sheet::Area;

/// Something printed.
#[derive(Debug, Clone)]
pub(crate) enum Ink {
    /// A line of text, from its left end on the baseline.
    Text { x: f32, baseline: f32, line: Line, style: Style },
    /// Filled rectangles, drawn as one shape so that no seams show between them.
    Fill { areas: Vec<Area>, grey: u8 },
    /// The outline of a rectangle, `width` points strong.
    Frame { area: Area, width: f32, grey: u8 },
}

/// Why something is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// It is read as a part of the document.
    Part(Part),
    /// It only pleases the eye, or repeats what was said.
    Decoration,
    /// It stands at the foot of every page.
    Foot,
}

/// A mark on a page.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    pub(crate) ink: Ink,
    pub(crate) reason: Reason,
}

/// One page.
#[derive(Debug, Clone, Default)]
pub(crate) struct Page {
    pub(crate) marks: Vec<Mark>,
}

impl Page {
    pub(crate) fn add(&mut self, ink: Ink, reason: Reason) {
        self.marks.push(Mark { ink, reason });
    }

    /// A line across: `strength` points thick, its upper edge at `y`.
    pub(crate) fn rule(&mut self, left: f32, right: f32, y: f32, strength: f32, grey: u8) {
        let area = Area { left, right, top: y, bottom: y + strength };
        self.add(Ink::Fill { areas: vec![area], grey }, Reason::Decoration);
    }

    /// Text at a place, one line.
    pub(crate) fn text(&mut self, x: f32, baseline: f32, line: Line, style: Style, why: Reason) {
        self.add(Ink::Text { x, baseline, line, style }, why);
    }
}

#[cfg(test)]
impl Mark {
    /// What the mark covers, as far as letters go between baseline and size.
    pub(crate) fn area(&self) -> Area {
        match &self.ink {
            Ink::Text { x, baseline, line, style } => Area {
                left: *x,
                right: x + line.width,
                top: baseline - style.size,
                bottom: baseline + style.size * 0.3,
            },
            Ink::Fill { areas, .. } => Area {
                left: areas.iter().map(|a| a.left).fold(f32::MAX, f32::min),
                right: areas.iter().map(|a| a.right).fold(0.0, f32::max),
                top: areas.iter().map(|a| a.top).fold(f32::MAX, f32::min),
                bottom: areas.iter().map(|a| a.bottom).fold(0.0, f32::max),
            },
            Ink::Frame { area, .. } => *area,
        }
    }
}
