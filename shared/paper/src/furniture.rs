//! What several documents have: the opening, figures, facts, strokes, codes and lines to sign on.

use crate::draft::{Ink, Reason};
use crate::flow::{Flow, Place, Side};
use crate::look;
use crate::parts::Role;
use crate::qr::Code;
use crate::setting::Style;
use crate::sheet::{Area, float};

/// A number of note, with what it counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Figure {
    /// What is counted, in a word or two.
    pub label: String,
    /// How many, as it shall be read.
    pub value: String,
}

/// The top of a first page: site and day, title, and a line that says more.
pub(crate) fn opening(flow: &mut Flow<'_>, site: &str, day: &str, title: &str, subtitle: &str) {
    flow.rule(2.4, 0);
    flow.y += 5.0;
    let (left, half, y) = (flow.area.left, flow.area.width() / 2.0, flow.y);
    let part = flow.parts.add(Role::Paragraph);
    let site = flow.block(site, look::KICKER, Place::left(left, y, half - 6.0), part);
    let part = flow.parts.add(Role::Paragraph);
    let right = Place::left(left + half + 6.0, y, half - 6.0).on(Side::Right);
    let day = flow.block(day, look::KICKER, right, part);
    flow.y += site.max(day) + 15.0;
    let part = flow.parts.add_heading(1, title);
    let (left, width) = (flow.area.left, flow.area.width());
    flow.contents.push(crate::write::Entry { words: title.to_owned(), page: 0, y: flow.y });
    // The capitals' side bearing would put the title to the right of all below it.
    flow.text(title, look::TITLE, left - 1.0, width, Reason::Part(part));
    flow.paragraph(subtitle, look::SUBTITLE);
}

/// Numbers of note side by side, four in a row, with hairlines between them.
pub(crate) fn figures(flow: &mut Flow<'_>, figures: &[Figure]) {
    const IN_A_ROW: usize = 4;
    for row in figures.chunks(IN_A_ROW) {
        let width = flow.area.width() / float(row.len().max(3));
        let lines = |text: &str, style: Style| flow.setter.lines(text, &style, width - 14.0).len();
        let tall = |f: &Figure| {
            float(lines(&f.value, look::NUMBER)) * look::NUMBER.leading
                + float(lines(&f.label, look::LABEL)) * look::LABEL.leading
        };
        let height = row.iter().map(tall).fold(0.0, f32::max);
        flow.need(height + 6.0);
        for (i, figure) in row.iter().enumerate() {
            let x = flow.area.left + float(i) * width;
            one_figure(flow, figure, x, width, height, i > 0);
        }
        flow.y += height + 6.0;
    }
}

fn one_figure(flow: &mut Flow<'_>, figure: &Figure, x: f32, width: f32, height: f32, bar: bool) {
    let y = flow.y;
    let indent = if bar { 10.0 } else { 0.0 };
    let place = Place::left(x + indent, y, width - 14.0);
    let part = flow.parts.add(Role::Paragraph);
    let used = flow.block(&figure.value, look::NUMBER, place, part);
    flow.block(&figure.label, look::LABEL, Place { y: y + used, ..place }, part);
    if bar {
        let area = Area { left: x, right: x + 0.5, top: y + 3.0, bottom: y + height - 1.0 };
        flow.ink(Ink::Fill { areas: vec![area], grey: look::PALE }, Reason::Decoration);
    }
}

/// A label with its text under it, at a fixed place; gives back the height of both.
pub(crate) fn fact(
    flow: &mut Flow<'_>,
    label: &str,
    text: &str,
    style: Style,
    place: Place,
) -> f32 {
    let part = flow.parts.add(Role::Paragraph);
    let used = flow.block(label, look::LABEL, place, part);
    used + flow.block(text, style, Place { y: place.y + used, ..place }, part)
}

/// The 256 bits of a hash as strokes, tall for one and short for zero: two hashes that differ
/// look different to the naked eye.
pub(crate) fn strokes(flow: &mut Flow<'_>, hash: &[u8; 32], what: &str) {
    const HEIGHT: f32 = 15.0;
    const SHORT: f32 = 5.0;
    let (left, bottom) = (flow.area.left, flow.y + HEIGHT);
    let pitch = (flow.area.width() + 0.9) / 256.0;
    let bits = hash.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1));
    let areas = bits.enumerate().map(|(i, bit)| {
        let x = left + float(i) * pitch;
        let top = bottom - if bit { HEIGHT } else { SHORT };
        Area { left: x, right: x + 0.95, top, bottom }
    });
    let figure = flow.parts.add(Role::Figure(format!("{what} as 256 strokes, one for each bit")));
    let ink = Ink::Fill { areas: areas.collect(), grey: 0 };
    flow.ink(ink, Reason::Part(figure));
    flow.y += HEIGHT;
}

/// A code with its quiet zone at the right margin, a caption under it; gives back the height.
pub(crate) fn code(flow: &mut Flow<'_>, code: &Code, top: f32, words: &str, caption: &str) -> f32 {
    // The quiet zone may reach into margins: nothing is printed there.
    let left = flow.area.right + code.margin() - code.width();
    let top = top - code.margin();
    let figure = flow.parts.add(Role::Figure(words.to_owned()));
    let ink = Ink::Fill { areas: code.areas(left, top), grey: 0 };
    flow.ink(ink, Reason::Part(figure));
    let part = flow.parts.add(Role::Paragraph);
    let place = Place::left(left + code.margin(), top + code.width() - code.margin() + 5.0, 0.0);
    let place = Place { width: code.width() - 2.0 * code.margin(), ..place };
    let used = flow.block(caption, look::NOTE, place, part);
    code.width() - 2.0 * code.margin() + 5.0 + used
}

/// Monospaced text word for word, with a bar at its left.
pub(crate) fn verbatim(flow: &mut Flow<'_>, text: &str) {
    const INDENT: f32 = 10.0;
    let part = flow.parts.add(Role::Paragraph);
    let (page, top) = (flow.pages.len(), flow.y);
    let (left, width) = (flow.area.left + INDENT, flow.area.width() - INDENT);
    flow.text(text, look::MONO, left, width, Reason::Part(part));
    let top = if flow.pages.len() == page { top } else { flow.area.top };
    let area = Area { left: left - INDENT, right: left - INDENT + 1.6, top, bottom: flow.y };
    flow.ink(Ink::Fill { areas: vec![area], grey: look::PALE }, Reason::Decoration);
}

/// Lines to write on by hand, each with a word under it and its share of the width.
pub(crate) fn signing(flow: &mut Flow<'_>, rows: &[&[(&str, f32)]]) {
    const ROW: f32 = 40.0;
    const GUTTER: f32 = 16.0;
    flow.need(float(rows.len()) * ROW);
    for row in rows {
        let (mut x, y) = (flow.area.left, flow.y + ROW - look::LABEL.leading);
        for (words, share) in *row {
            let whole = (flow.area.width() + GUTTER) * share;
            let part = flow.parts.add(Role::Paragraph);
            let line = Area { left: x, right: x + whole - GUTTER, top: y - 1.5, bottom: y - 1.0 };
            flow.ink(Ink::Fill { areas: vec![line], grey: 0 }, Reason::Decoration);
            flow.block(words, look::LABEL, Place::left(x, y, whole - GUTTER), part);
            x += whole;
        }
        flow.y += ROW;
    }
}

/// Text in groups of four, to be read aloud and compared.
pub(crate) fn grouped(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let groups: Vec<String> = letters.chunks(4).map(|group| group.iter().collect()).collect();
    groups.join(" ")
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
