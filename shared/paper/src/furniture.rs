//! What several documents have: the opening, figures, facts, strokes, codes and lines to sign on.

use crate::draft::{Ink, Reason};
use crate::flow::{Flow, Place, Side};
use crate::letters::short;
use crate::look;
use crate::parts::Role;
use crate::qr::Code;
use crate::setting::Style;
use crate::sheet::{Area, float};

/// Longest text at a fixed place, of site and day above a title, and of a figure, in characters.
const MAX_FACT_CHARS: usize = 260;
const MAX_KICKER_CHARS: usize = 80;
const MAX_FIGURE_CHARS: usize = 40;

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
    let (site, day) = (short(site, MAX_KICKER_CHARS), short(day, MAX_KICKER_CHARS));
    let (title, subtitle) = (short(title, MAX_FACT_CHARS), short(subtitle, MAX_FACT_CHARS));
    flow.rule(2.4, 0);
    flow.y += 5.0;
    let (left, half, y) = (flow.area.left, flow.area.width() / 2.0, flow.y);
    let part = flow.parts.add(Role::Paragraph);
    let site = flow.block(&site, look::KICKER, Place::left(left, y, half - 6.0), part);
    let part = flow.parts.add(Role::Paragraph);
    let right = Place::left(left + half + 6.0, y, half - 6.0).on(Side::Right);
    let day = flow.block(&day, look::KICKER, right, part);
    flow.y += site.max(day) + flow.loose(15.0);
    let part = flow.parts.add_heading(1, &title);
    let (left, width) = (flow.area.left, flow.area.width());
    let fits = flow.setter.width(&title, &look::TITLE) <= width;
    let style = if fits { look::TITLE } else { look::LONG_TITLE };
    flow.contents.push(crate::write::Entry { words: title.clone(), page: 0, y: flow.y });
    // So much white have large letters at their left.
    flow.text(&title, style, left - 0.5, width, Reason::Part(part));
    flow.paragraph(&subtitle, look::SUBTITLE);
}

/// Numbers of note side by side, four in a row, with hairlines between them.
pub(crate) fn figures(flow: &mut Flow<'_>, figures: &[Figure]) {
    const IN_A_ROW: usize = 4;
    let short = |text: &str| short(text, MAX_FIGURE_CHARS);
    let all = figures.iter().map(|f| Figure { label: short(&f.label), value: short(&f.value) });
    let all: Vec<Figure> = all.collect();
    for row in all.chunks(IN_A_ROW) {
        let width = flow.area.width() / float(row.len().max(3));
        let lines = |text: &str, style: &Style| lines_of(flow, text, style, width - 14.0);
        let tall = |f: &Figure| {
            lines(&f.value, &look::NUMBER) * look::NUMBER.leading
                + lines(&f.label, &look::LABEL) * look::LABEL.leading
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

/// How many lines a block will have.
fn lines_of(flow: &Flow<'_>, text: &str, style: &Style, width: f32) -> f32 {
    float(flow.setter.few_lines(text, style, width, Place::LINES).len())
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

/// A label, a text, and how the text looks.
pub(crate) type Fact = (&'static str, String, Style);

/// Facts at the left and a code at the right, on one page.
pub(crate) fn beside_code(
    flow: &mut Flow<'_>,
    facts: &[Fact],
    qr: &Code,
    words: &str,
    caption: &str,
) {
    const BETWEEN: f32 = 6.0;
    let width = flow.area.width() - qr.width() + 2.0 * qr.margin() - 20.0;
    let facts: Vec<Fact> = facts.iter().map(|(l, text, s)| (*l, fixed(text), *s)).collect();
    let lines = |text: &str, style: &Style| lines_of(flow, text, style, width);
    let height = |(_, text, style): &Fact| lines(text, style) * style.leading;
    let all: f32 = facts.iter().map(|f| height(f) + look::LABEL.leading + BETWEEN).sum();
    flow.need(all.max(qr.width() + look::NOTE.leading));
    let top = flow.y;
    let mut y = top - 2.0;
    for (label, text, style) in &facts {
        let part = flow.parts.add(Role::Paragraph);
        let place = Place::left(flow.area.left, y, width);
        y += flow.block(label, look::LABEL, place, part);
        y += flow.block(text, *style, Place { y, ..place }, part) + BETWEEN;
    }
    let height = code(flow, qr, top, words, caption);
    flow.y = y.max(top + height);
}

/// Lines that were made on purpose stay, but do not go on for ever.
fn fixed(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(|line| short(line, MAX_FACT_CHARS)).collect();
    lines.join("\n")
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
fn code(flow: &mut Flow<'_>, code: &Code, top: f32, words: &str, caption: &str) -> f32 {
    // The quiet zone may reach into margins: nothing is printed there.
    let left = flow.area.right + code.margin() - code.width();
    let top = top - code.margin();
    let figure = flow.parts.add(Role::Figure(words.to_owned()));
    let ink = Ink::Fill { areas: code.areas(left, top), grey: 0 };
    flow.ink(ink, Reason::Part(figure));
    let part = flow.parts.add(Role::Paragraph);
    let width = code.width() - 2.0 * code.margin();
    let place = Place::left(left + code.margin(), top + code.width(), width);
    let used = flow.block(caption, look::NOTE, place, part);
    width + code.margin() + used
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

/// Height of a row of lines to sign on.
pub(crate) const SIGNING_ROW: f32 = 34.0;

/// Ruled paper to write on: as many lines as there is room for, not counting `below`, but at least
/// three and at most nine.
pub(crate) fn ruled(flow: &mut Flow<'_>, below: f32) {
    const PITCH: f32 = 27.0;
    flow.need(3.0 * PITCH + below);
    for line in 0..9 {
        if line >= 3 && flow.room() < PITCH + below {
            break;
        }
        flow.y += PITCH - 0.35;
        flow.rule(0.35, look::GREY);
    }
}

/// Goes down to where `rows` of lines to sign on end at the bottom of the page; on a page of their
/// own they stand at the top.
pub(crate) fn to_the_bottom(flow: &mut Flow<'_>, rows: usize) {
    let height = float(rows) * SIGNING_ROW;
    flow.need(height);
    if flow.y > flow.area.top {
        flow.y = flow.y.max(flow.area.bottom - height);
    }
}

/// Lines to write on by hand, each with a word under it and its share of the width.
pub(crate) fn signing(flow: &mut Flow<'_>, rows: &[&[(&str, f32)]]) {
    const GUTTER: f32 = 16.0;
    flow.need(float(rows.len()) * SIGNING_ROW);
    for row in rows {
        let (mut x, y) = (flow.area.left, flow.y + SIGNING_ROW - look::LABEL.leading);
        for (words, share) in *row {
            let whole = (flow.area.width() + GUTTER) * share;
            let line = Area { left: x, right: x + whole - GUTTER, top: y - 1.5, bottom: y - 1.0 };
            flow.ink(Ink::Fill { areas: vec![line], grey: 0 }, Reason::Decoration);
            let part = flow.parts.add(Role::Paragraph);
            flow.block(words, look::LABEL, Place::left(x, y, whole - GUTTER), part);
            x += whole;
        }
        flow.y += SIGNING_ROW;
    }
}

/// Text in groups of four, `in_a_line` of them in a line, to be read aloud and compared.
pub(crate) fn grouped(text: &str, in_a_line: usize) -> String {
    let letters: Vec<char> = text.chars().collect();
    let groups: Vec<String> = letters.chunks(4).map(|group| group.iter().collect()).collect();
    let lines: Vec<String> = groups.chunks(in_a_line).map(|line| line.join(" ")).collect();
    lines.join("\n")
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
