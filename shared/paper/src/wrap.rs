//! Where a line ends.

use std::ops::Range;
use std::rc::Rc;

use crate::setting::{Line, Shaped, Style};

/// After which signs a word may be divided rather than anywhere.
const JOINTS: [char; 13] = ['/', '\\', '-', '_', '.', ',', ':', ';', '=', '&', '@', '|', ']'];

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

#[cfg(test)]
mod tests {
    use crate::face::Face;
    use crate::setting::{Line, Setter, Style};

    /// Ten letters of this fit a line that is sixty points wide.
    const MONO: Style = Style::new(Face::Mono, 9.9, 12.0);

    fn words(line: &Line) -> String {
        let glyphs = &line.shaped.glyphs[line.glyphs.clone()];
        glyphs.iter().map(|glyph| &line.shaped.text[glyph.stands_for.clone()]).collect()
    }

    fn wrapped(text: &str) -> Vec<String> {
        let setter = Setter::new().expect("fonts");
        let lines = setter.lines(text, &MONO, 60.0);
        assert!(lines.iter().all(|line| line.width <= 60.0), "{text}");
        lines.iter().map(words).collect()
    }

    #[test]
    fn a_line_ends_at_a_space() {
        assert_eq!(wrapped("one two three four"), ["one two ", "three four"]);
        assert_eq!(wrapped("0123456789 x"), ["0123456789 ", "x"]);
    }

    #[test]
    fn a_long_word_is_divided_at_a_joint() {
        assert_eq!(wrapped("/srv/archive/x.tmp"), ["/srv/", "archive/x.", "tmp"]);
    }

    #[test]
    fn a_word_without_joints_is_divided_anywhere_but_not_for_two_letters() {
        assert_eq!(wrapped("abcdefghijklmnopqrst"), ["abcdefghij", "klmnopqrst"]);
        assert_eq!(wrapped("abcdefghijk"), ["abcdefgh", "ijk"]);
    }

    #[test]
    fn a_newline_ends_a_line_and_an_empty_text_is_one_line() {
        assert_eq!(wrapped("a\n\nb\n"), ["a", "", "b"]);
        assert_eq!(wrapped(""), [""]);
    }

    #[test]
    fn accents_stay_with_their_letters() {
        assert_eq!(wrapped(&"e\u{301}".repeat(12)).concat().matches('\u{301}').count(), 12);
    }

    #[test]
    fn what_a_place_has_no_room_for_is_counted() {
        let setter = Setter::new().expect("fonts");
        let lines = setter.few_lines(&"0123456789 ".repeat(5), &MONO, 130.0, 2);
        let lines: Vec<String> = lines.iter().map(words).collect();
        assert_eq!(lines, ["0123456789 0123456789 ", "… (+32 characters)"]);
    }
}
