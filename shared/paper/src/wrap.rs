//! Where a line ends.

use std::ops::Range;
use std::rc::Rc;

use crate::setting::{Line, Shaped, Style};

/// After which signs a word may be divided rather than anywhere.
const JOINTS: [char; 12] = ['/', '\\', '-', '_', '.', ',', ':', ';', '=', '&', '@', '|'];

/// Least letters of a divided word on its last line.
const LEFT_OVER: usize = 3;

/// A part of a line that is never divided: the glyphs of one group of letters.
struct Cluster {
    glyphs: Range<usize>,
    width: f32,
    ends: End,
}

/// How good a place to end a line is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Anywhere,
    Joint,
    Space,
}

/// Lines of at most `width` points: they end at a space, else at a joint of a word, else anywhere.
/// A single letter that is wider than the line stands alone.
pub(crate) fn wrap(shaped: &Rc<Shaped>, style: &Style, width: f32) -> Vec<Line> {
    let clusters = clusters(shaped, style);
    let mut lines = Vec::new();
    let mut from = 0;
    while from < clusters.len() {
        let to = end_of_line(&clusters[from..], width) + from;
        lines.push(line(shaped, &clusters[from..to]));
        from = to;
    }
    if lines.is_empty() {
        lines.push(Line { shaped: Rc::clone(shaped), glyphs: 0..0, width: 0.0 });
    }
    lines
}

/// How many clusters go into the line; at least one.
fn end_of_line(clusters: &[Cluster], width: f32) -> usize {
    let mut used = 0.0;
    let fitting = clusters.iter().position(|cluster| {
        used += cluster.width;
        used > width && cluster.ends != End::Space
    });
    let Some(fitting) = fitting else { return clusters.len() };
    let last = |wanted: End| clusters[..fitting].iter().rposition(|c| c.ends == wanted);
    let end = last(End::Space).or_else(|| last(End::Joint)).map(|at| at + 1);
    end.unwrap_or_else(|| within_word(clusters, fitting)).max(1)
}

/// Where a word is divided that has no better place: not so that one or two letters of it are left.
fn within_word(clusters: &[Cluster], fitting: usize) -> usize {
    let left =
        clusters[fitting..].iter().take(LEFT_OVER).take_while(|c| c.ends != End::Space).count();
    let whole = left + fitting;
    if left < LEFT_OVER && whole >= 2 * LEFT_OVER { whole - LEFT_OVER } else { fitting }
}

fn line(shaped: &Rc<Shaped>, clusters: &[Cluster]) -> Line {
    let inked = clusters.iter().rposition(|c| c.ends != End::Space).map_or(0, |at| at + 1);
    let width = clusters[..inked].iter().map(|c| c.width).sum();
    let start = clusters.first().map_or(0, |c| c.glyphs.start);
    let end = clusters.last().map_or(start, |c| c.glyphs.end);
    Line { shaped: Rc::clone(shaped), glyphs: start..end, width }
}

fn clusters(shaped: &Shaped, style: &Style) -> Vec<Cluster> {
    let mut clusters: Vec<Cluster> = Vec::new();
    let mut letters = 0..0;
    for (i, glyph) in shaped.glyphs.iter().enumerate() {
        let width = glyph.advance * style.size + style.tracking;
        match clusters.last_mut() {
            Some(cluster) if letters == glyph.stands_for => {
                cluster.glyphs.end = i + 1;
                cluster.width += width;
            }
            Some(_) | None => {
                letters = glyph.stands_for.clone();
                let ends = ending(&shaped.text[letters.clone()]);
                clusters.push(Cluster { glyphs: i..i + 1, width, ends });
            }
        }
    }
    clusters
}

fn ending(letters: &str) -> End {
    match letters.chars().next_back() {
        Some(' ') => End::Space,
        Some(sign) if JOINTS.contains(&sign) => End::Joint,
        Some(_) | None => End::Anywhere,
    }
}
