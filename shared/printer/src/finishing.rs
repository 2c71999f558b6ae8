//! What is done to sheets when they are printed.

use std::fmt;
use std::str::FromStr;

/// One of finishings (RFC 8011 §5.2.6, PWG 5100.1), by number; it is read and shown by its keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Finishing(
    /// The number that is sent.
    pub i32,
);

/// PWG 5100.1 table 2.
const NAMES: [(i32, &str); 63] = [
    (3, "none"),
    (4, "staple"),
    (5, "punch"),
    (6, "cover"),
    (7, "bind"),
    (8, "saddle-stitch"),
    (9, "edge-stitch"),
    (10, "fold"),
    (11, "trim"),
    (12, "bale"),
    (13, "booklet-maker"),
    (14, "jog-offset"),
    (15, "coat"),
    (16, "laminate"),
    (20, "staple-top-left"),
    (21, "staple-bottom-left"),
    (22, "staple-top-right"),
    (23, "staple-bottom-right"),
    (24, "edge-stitch-left"),
    (25, "edge-stitch-top"),
    (26, "edge-stitch-right"),
    (27, "edge-stitch-bottom"),
    (28, "staple-dual-left"),
    (29, "staple-dual-top"),
    (30, "staple-dual-right"),
    (31, "staple-dual-bottom"),
    (32, "staple-triple-left"),
    (33, "staple-triple-top"),
    (34, "staple-triple-right"),
    (35, "staple-triple-bottom"),
    (50, "bind-left"),
    (51, "bind-top"),
    (52, "bind-right"),
    (53, "bind-bottom"),
    (60, "trim-after-pages"),
    (61, "trim-after-documents"),
    (62, "trim-after-copies"),
    (63, "trim-after-job"),
    (70, "punch-top-left"),
    (71, "punch-bottom-left"),
    (72, "punch-top-right"),
    (73, "punch-bottom-right"),
    (74, "punch-dual-left"),
    (75, "punch-dual-top"),
    (76, "punch-dual-right"),
    (77, "punch-dual-bottom"),
    (78, "punch-triple-left"),
    (79, "punch-triple-top"),
    (80, "punch-triple-right"),
    (81, "punch-triple-bottom"),
    (82, "punch-quad-left"),
    (83, "punch-quad-top"),
    (84, "punch-quad-right"),
    (85, "punch-quad-bottom"),
    (90, "fold-accordion"),
    (91, "fold-double-gate"),
    (92, "fold-gate"),
    (93, "fold-half"),
    (94, "fold-half-z"),
    (95, "fold-left-gate"),
    (96, "fold-letter"),
    (97, "fold-parallel"),
    (100, "fold-z"),
];

impl fmt::Display for Finishing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(number, _)| *number == self.0) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "finishing {}", self.0),
        }
    }
}

impl FromStr for Finishing {
    type Err = String;

    /// By keyword.
    fn from_str(text: &str) -> Result<Self, String> {
        let found = NAMES.iter().find(|(_, name)| *name == text);
        let found = found.map(|(number, _)| Finishing(*number));
        found.ok_or_else(|| {
            format!("{text:?} is no finishing of PWG 5100.1, such as staple or punch")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finishing_is_read_as_it_is_shown() {
        for (number, name) in NAMES {
            assert_eq!(name.parse::<Finishing>(), Ok(Finishing(number)));
            assert_eq!(Finishing(number).to_string(), name);
        }
        assert!("stapel".parse::<Finishing>().is_err());
        assert_eq!(Finishing(1000).to_string(), "finishing 1000");
    }
}
