//! Patterns of the host's own list: `*` and `?` stand for anything but a slash.

/// Whether a text fits a pattern.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    fits(pattern.as_bytes(), text.as_bytes())
}

/// Absolute, and every part a name: `/usr/local/bin/../../../bin/sh` matches no pattern for its beginning.
pub(super) fn is_plain(path: &str) -> bool {
    let mut parts = path.split('/');
    parts.next() == Some("") && parts.all(|part| !matches!(part, "" | "." | ".."))
}

/// On a mismatch the latest `*` takes one byte more, and only that one: earlier ones need not.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() || p < pattern.len() {
        let (want, have) = (pattern.get(p), text.get(t));
        match (want, have, star) {
            (Some(b'*'), _, _) => {
                star = Some((p, t));
                p += 1;
            }
            (Some(b'?'), Some(have), _) if *have != b'/' => (p, t) = (p + 1, t + 1),
            (Some(want), Some(have), _) if want == have => (p, t) = (p + 1, t + 1),
            (_, _, Some((at, from))) if text.get(from).is_some_and(|byte| *byte != b'/') => {
                star = Some((at, from + 1));
                (p, t) = (at + 1, from + 1);
            }
            _ => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything_but_a_slash() {
        for (pattern, path, fit) in [
            ("/a/*", "/a/b", true),
            ("/a/*", "/a/b/c", false),
            ("/a/*-*.sh", "/a/x-y-z.sh", true),
            ("/a/*-*.sh", "/a/xyz.sh", false),
            ("/*/b", "/a/b", true),
            ("/*/b", "/a/c/b", false),
            ("/a?", "/ab", true),
            ("/a?b", "/a/b", false),
            ("/a", "/ab", false),
            ("/a*", "/a", true),
        ] {
            assert_eq!(matches(pattern, path), fit, "{pattern} {path}");
        }
    }
}
