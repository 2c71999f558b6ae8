//! From characters that stand somewhere on a page to lines of text.

/// How far apart the baselines of one line may be, in sizes of the smaller character: a superscript belongs to its line.
const SAME_LINE: f64 = 0.5;
/// A gap that separates words, in sizes of the character.
const WORD_GAP: f64 = 0.15;
/// How near the same character is to itself when it was drawn twice to look bold, in sizes.
const DRAWN_TWICE: f64 = 0.1;

/// A character on a page, in the page's space as it is seen, y upwards.
#[derive(Debug, Clone)]
pub(super) struct Glyph {
    /// Where its baseline begins.
    pub(super) x: f64,
    pub(super) y: f64,
    /// Where its baseline ends.
    pub(super) end: (f64, f64),
    /// Height of the font.
    pub(super) size: f64,
    /// What it means.
    pub(super) text: String,
}

/// Lines, from the top; the characters of each from the left. Upright text comes first, then what is turned by 90, 180 and
/// 270 degrees, each as it is read when the page is turned.
pub(super) fn lines(glyphs: Vec<Glyph>) -> String {
    let mut turned: [Vec<Glyph>; 4] = Default::default();
    for glyph in glyphs {
        let quarter = quarter(&glyph);
        turned[quarter].push(upright(glyph, quarter));
    }
    let mut text = String::new();
    for glyphs in turned {
        write(glyphs, &mut text);
    }
    text.truncate(text.trim_end().len());
    text
}

/// By how many quarters a character is turned, against the clock.
fn quarter(glyph: &Glyph) -> usize {
    let (dx, dy) = (glyph.end.0 - glyph.x, glyph.end.1 - glyph.y);
    match (dx.abs() >= dy.abs(), dx >= 0.0, dy >= 0.0) {
        (true, true, _) => 0,
        (false, _, true) => 1,
        (true, false, _) => 2,
        (false, _, false) => 3,
    }
}

fn upright(mut glyph: Glyph, quarter: usize) -> Glyph {
    let turn = |(x, y): (f64, f64)| match quarter {
        1 => (y, -x),
        2 => (-x, -y),
        3 => (-y, x),
        _ => (x, y),
    };
    (glyph.x, glyph.y) = turn((glyph.x, glyph.y));
    glyph.end = turn(glyph.end);
    glyph
}

fn write(mut glyphs: Vec<Glyph>, text: &mut String) {
    glyphs.sort_by(|a, b| b.y.total_cmp(&a.y));
    let mut rest = glyphs.as_mut_slice();
    while let Some(first) = rest.first() {
        let (y, size) = (first.y, first.size);
        let next = rest.iter().position(|g| y - g.y > SAME_LINE * size.min(g.size));
        let (line, below) = rest.split_at_mut(next.unwrap_or(rest.len()));
        line.sort_by(|a, b| a.x.total_cmp(&b.x));
        write_line(line, text);
        rest = below;
    }
}

fn write_line(line: &[Glyph], text: &mut String) {
    let start = text.len();
    let mut before: Option<&Glyph> = None;
    for glyph in line {
        let twice = before.is_some_and(|before| {
            before.text == glyph.text && (glyph.x - before.x).abs() < DRAWN_TWICE * glyph.size
        });
        if twice {
            continue;
        }
        let gap = before.is_some_and(|before| glyph.x - before.end.0 > WORD_GAP * glyph.size);
        let blank = glyph.text.chars().all(char::is_whitespace);
        if (gap || blank) && text.len() > start && !text.ends_with(' ') {
            text.push(' ');
        }
        if !blank {
            text.push_str(&glyph.text);
        }
        before = Some(glyph);
    }
    text.truncate(start + text[start..].trim_end().len());
    if text.len() > start {
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(word: &str, x: f64, y: f64, size: f64) -> Vec<Glyph> {
        let mut x = x;
        let glyph = |c: char| {
            let start = x;
            x += size / 2.0;
            Glyph { x: start, y, end: (x, y), size, text: c.to_string() }
        };
        word.chars().map(glyph).collect()
    }

    #[test]
    fn words_that_stand_on_one_line_are_one_line_in_whatever_order_they_were_drawn() {
        let glyphs = [
            word("below", 10.0, 80.0, 10.0),
            word("12.50", 200.0, 100.0, 10.0),
            word("Amount:", 10.0, 100.0, 10.0),
            word("2", 46.0, 103.5, 7.0),
        ];
        assert_eq!(lines(glyphs.concat()), "Amount:2 12.50\nbelow");
    }

    #[test]
    fn what_is_drawn_twice_to_look_bold_is_read_once() {
        let glyphs = [word("Total", 10.0, 100.0, 10.0), word("Total", 10.3, 100.0, 10.0)];
        assert_eq!(lines(glyphs.concat()), "Total");
    }

    #[test]
    fn turned_text_is_read_as_one_turns_the_page() {
        let mut glyphs = word("up", 0.0, 0.0, 10.0);
        for glyph in &mut glyphs {
            (glyph.x, glyph.y) = (-glyph.y, glyph.x);
            glyph.end = (-glyph.end.1, glyph.end.0);
        }
        assert_eq!(lines([glyphs, word("first", 0.0, 0.0, 10.0)].concat()), "first\nup");
    }
}
