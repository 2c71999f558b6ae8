//! Tables: columns of fixed shares, rows of one or two bands, heads on each page.

use crate::draft::Reason;
use crate::error::PaperError;
use crate::flow::{Flow, Piece, Strip};
use crate::look;
use crate::parts::{Part, Role};
use crate::setting::Style;

/// Most rows of all tables of one document together. A row takes some 1.5 kB of
/// the file and, until that is written, 25 kB of memory.
pub const MAX_ROWS: usize = 10_000;

/// White between two columns.
const GUTTER: f32 = 9.0;
/// What is kept at the right for a box to tick.
const TICK_WIDTH: f32 = 30.0;

/// A column: the word on top of it and its share of the width.
pub(crate) struct Column {
    pub(crate) head: &'static str,
    pub(crate) share: f32,
    pub(crate) style: Style,
}

/// A kind of table. A row's cells are those of its first band from left to right, then those of
/// its second; the shares of a band add up to one.
pub(crate) struct Table {
    /// Stands before each row's number, to speak of rows by: `A` gives A1, A2 and so on.
    pub(crate) letter: char,
    pub(crate) bands: &'static [&'static [Column]],
    /// Whether each row has a box to tick.
    pub(crate) tick: bool,
}

/// Width of what a pair's value is called.
const NAME_WIDTH: f32 = 118.0;
/// Width of the numbers at the left.
const NUMBER_WIDTH: f32 = 30.0;

/// Refuses more rows than fit one document.
pub(crate) fn check_rows(what: &'static str, count: usize) -> Result<(), PaperError> {
    if count > MAX_ROWS {
        return Err(PaperError::TooMany { what, count, most: MAX_ROWS });
    }
    Ok(())
}

impl Table {
    /// Prints the rows. Each has as many cells as the table has columns.
    pub(crate) fn print(&self, flow: &mut Flow<'_>, rows: &[Vec<&str>]) {
        let table = flow.parts.add(Role::Table);
        let head = flow.parts.add_to(table, Role::TableHead);
        let row = flow.parts.add_to(head, Role::Row);
        let strips = self.head(flow, |flow| Reason::Part(flow.parts.add_to(row, Role::HeadCell)));
        flow.strips(strips);
        let again = self.head(flow, |_| Reason::Decoration);
        flow.repeat(again);
        let body = flow.parts.add_to(table, Role::TableBody);
        for (i, cells) in rows.iter().enumerate() {
            let row = flow.parts.add_to(body, Role::Row);
            let strips = self.row(flow, row, &format!("{}{}", self.letter, i + 1), cells);
            flow.strips(strips);
        }
        flow.repeat(Vec::new());
    }

    /// The height of the head and one short row: what a heading should stay with.
    pub(crate) fn least_height(&self) -> f32 {
        let bands = crate::sheet::float(self.bands.len());
        bands * (look::LABEL.leading + look::CELL.leading + 3.0) + 12.0
    }

    fn head(
        &self,
        flow: &mut Flow<'_>,
        mut why: impl FnMut(&mut Flow<'_>) -> Reason,
    ) -> Vec<Strip> {
        let mut strips = Vec::new();
        for (i, band) in self.bands.iter().enumerate() {
            let mut cells = Vec::new();
            if i == 0 {
                let reason = why(flow);
                cells.push(number(flow, "No", look::LABEL, reason));
            }
            for (column, (x, width)) in band.iter().zip(self.places(flow, band)) {
                let reason = why(flow);
                cells.push(pieces(flow, column.head, look::LABEL, x, width, reason));
            }
            strips.extend(side_by_side(cells, 0.0));
        }
        if let (true, Some(first)) = (self.tick, strips.first_mut()) {
            first.pieces.extend(seen(flow));
        }
        if let Some(last) = strips.last_mut() {
            last.height += 3.0;
            last.rule = Some((0.8, 0));
        }
        strips
    }

    fn row(&self, flow: &mut Flow<'_>, row: Part, number: &str, cells: &[&str]) -> Vec<Strip> {
        let mut cells = cells.iter();
        let mut strips: Vec<Strip> = Vec::new();
        for (i, band) in self.bands.iter().enumerate() {
            let mut columns = Vec::new();
            if i == 0 {
                let part = Reason::Part(flow.parts.add_to(row, Role::Cell));
                columns.push(self::number(flow, number, look::CELL.grey(look::GREY), part));
            }
            for (column, (x, width)) in band.iter().zip(self.places(flow, band)) {
                let part = Reason::Part(flow.parts.add_to(row, Role::Cell));
                let text = shown(cells.next().copied().unwrap_or_default());
                columns.push(pieces(flow, text, column.style, x, width, part));
            }
            strips.extend(side_by_side(columns, if i == 0 { 4.0 } else { 2.0 }));
        }
        if let Some(first) = strips.first_mut() {
            first.tick = self.tick;
        }
        if let Some(last) = strips.last_mut() {
            last.height += 4.5;
            last.rule = Some((0.35, look::PALE));
        }
        strips
    }

    /// Left end and width of each column of a band.
    fn places(&self, flow: &Flow<'_>, band: &[Column]) -> Vec<(f32, f32)> {
        let taken = NUMBER_WIDTH + if self.tick { TICK_WIDTH } else { 0.0 };
        let width = flow.area.width() - taken;
        let mut x = flow.area.left + NUMBER_WIDTH;
        let mut places = Vec::new();
        for column in band {
            let whole = width * column.share;
            places.push((x, whole - GUTTER));
            x += whole;
        }
        places
    }
}

/// Names at the left, their values beside them, hairlines between.
pub(crate) fn pairs<'t>(flow: &mut Flow<'_>, rows: impl Iterator<Item = (&'t str, &'t str)>) {
    let table = flow.parts.add(Role::Table);
    let (left, width) = (flow.area.left, flow.area.width());
    for (name, value) in rows {
        let row = flow.parts.add_to(table, Role::Row);
        let why = Reason::Part(flow.parts.add_to(row, Role::NameCell));
        let name = pieces(flow, shown(name), look::LABEL, left, NAME_WIDTH - GUTTER, why);
        let why = Reason::Part(flow.parts.add_to(row, Role::Cell));
        let (x, rest) = (left + NAME_WIDTH, width - NAME_WIDTH);
        let value = pieces(flow, shown(value), look::BODY, x, rest, why);
        let mut strips = side_by_side(vec![name, value], 2.5);
        if let Some(last) = strips.last_mut() {
            last.height += 2.5;
            last.rule = Some((0.35, look::PALE));
        }
        flow.strips(strips);
    }
}

/// A cell that is empty would be missing for who hears the table.
fn shown(text: &str) -> &str {
    if text.trim().is_empty() { "–" } else { text.trim() }
}

fn number(flow: &Flow<'_>, text: &str, style: Style, reason: Reason) -> Vec<Piece> {
    pieces(flow, text, style, flow.area.left, NUMBER_WIDTH - 2.0, reason)
}

fn seen(flow: &Flow<'_>) -> Vec<Piece> {
    let width = flow.setter.width("Seen", &look::LABEL);
    let x = flow.area.right - width;
    pieces(flow, "Seen", look::LABEL, x, width + 1.0, Reason::Decoration)
}

fn pieces(
    flow: &Flow<'_>,
    text: &str,
    style: Style,
    x: f32,
    width: f32,
    reason: Reason,
) -> Vec<Piece> {
    let lines = flow.setter.lines(text, &style, width);
    lines.into_iter().map(|line| Piece { x, line, style, reason }).collect()
}

/// Columns of lines become strips: the first lines of all, the second lines of all, and so on.
fn side_by_side(columns: Vec<Vec<Piece>>, above: f32) -> Vec<Strip> {
    let mut strips: Vec<Strip> = Vec::new();
    for column in columns {
        for (i, piece) in column.into_iter().enumerate() {
            if strips.len() == i {
                strips.push(Strip::default());
            }
            strips[i].height = strips[i].height.max(piece.style.leading);
            strips[i].pieces.push(piece);
        }
    }
    if let Some(first) = strips.first_mut() {
        first.above = above;
    }
    strips
}
