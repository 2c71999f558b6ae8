//! What can be typed.

use std::ffi::OsString;
use std::path::PathBuf;

use evidence::Depth;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use lexopt::{Arg, Parser, ValueExt as _};

/// What is said when somebody asks.
pub(crate) const HELP: &str = "\
Says of evidence of a Decklog log what it is worth. Opens the named files, and nothing else; of a bundle in parts
(NAME.001, NAME.002 and so on) name all, or one, which finds the others beside it.

  decklog-verify BUNDLE… [--policy FILE] [--head FILE]… [--tsa FILE]… [--as-of WHEN] [--tip] [--json]
  decklog-verify misbehaviour FILE --policy FILE

  --policy FILE        whose heads are believed: the log's key and the witnesses (C2SP tlog-policy);
                       get it by another way than the bundle
  --head FILE          a signed head that you kept, or have from elsewhere: the bundle must continue it
  --tsa FILE           whose time stamps (RFC 3161) are believed: certificates of roots, as PEM; may be given again
  --as-of WHEN         the last head must have been cosigned at this day or instant, or later (2026-12-31,
                       2026-12-31T12:00:00Z; a day counts from its beginning in UTC)
  --tip                checks one signature of each producer, the last, which vouches for those before it
  --json               prints the report as JSON
  --misbehaviour DIR   where to write what shows by itself that the log contradicts itself
                       (./misbehaviour)

VERIFIED (exit 0): everything is there, and everything that can be computed holds.
TAMPERED (exit 1): something is not what its signer signed, or contradicts what you hold.
INCONCLUSIVE (exit 2): nothing contradicts, but something that is needed is missing.
Exit 3: the call is wrong, or a file cannot be read.
";

/// A bundle, and what somebody brings along.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Bundle {
    /// The bundle, or its parts.
    pub(crate) files: Vec<PathBuf>,
    pub(crate) policy: Option<PathBuf>,
    pub(crate) heads: Vec<PathBuf>,
    pub(crate) tsa: Vec<PathBuf>,
    pub(crate) as_of: Option<Timestamp>,
    pub(crate) depth: Depth,
    pub(crate) json: bool,
    pub(crate) misbehaviour: PathBuf,
}

/// What is wanted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Help,
    Version,
    Bundle(Bundle),
    Misbehaviour { file: PathBuf, policy: PathBuf },
}

#[derive(Debug, Default)]
struct Words {
    files: Vec<PathBuf>,
    policy: Option<PathBuf>,
    heads: Vec<PathBuf>,
    tsa: Vec<PathBuf>,
    as_of: Option<Timestamp>,
    tip: bool,
    json: bool,
    misbehaviour: Option<PathBuf>,
}

/// Reads a call.
pub(crate) fn read(args: impl IntoIterator<Item = OsString>) -> Result<Call, String> {
    let mut parser = Parser::from_iter(args);
    let mut words = Words::default();
    while let Some(arg) = parser.next().map_err(|error| error.to_string())? {
        match arg {
            Arg::Long("help") | Arg::Short('h') => return Ok(Call::Help),
            Arg::Long("version") | Arg::Short('V') => return Ok(Call::Version),
            Arg::Long("policy") => once(&mut words.policy, path(&mut parser)?, "--policy")?,
            Arg::Long("head") => words.heads.push(path(&mut parser)?),
            Arg::Long("tsa") => words.tsa.push(path(&mut parser)?),
            Arg::Long("misbehaviour") => {
                once(&mut words.misbehaviour, path(&mut parser)?, "--misbehaviour")?;
            }
            Arg::Long("tip") => words.tip = true,
            Arg::Long("json") => words.json = true,
            Arg::Long("as-of") => {
                let text = parser.value().and_then(|value| value.string());
                let at = instant(&text.map_err(|error| error.to_string())?)?;
                once(&mut words.as_of, at, "--as-of")?;
            }
            Arg::Value(value) => words.files.push(value.into()),
            Arg::Long(_) | Arg::Short(_) => return Err(arg.unexpected().to_string()),
        }
    }
    words.call()
}

fn path(parser: &mut Parser) -> Result<PathBuf, String> {
    parser.value().map(PathBuf::from).map_err(|error| error.to_string())
}

/// Of two that contradict each other none is silently the one that counts.
fn once<T>(place: &mut Option<T>, value: T, name: &str) -> Result<(), String> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(format!("{name} is given twice; give it once")),
    }
}

impl Words {
    fn call(mut self) -> Result<Call, String> {
        if self.files.first().is_some_and(|first| first.as_os_str() == "misbehaviour") {
            let file = (self.files.len() == 2).then(|| self.files.remove(1));
            let file = file.ok_or("name the file that shows it")?;
            let policy = self.policy.ok_or("name the --policy that has the key of the log")?;
            return Ok(Call::Misbehaviour { file, policy });
        }
        if self.files.is_empty() {
            return Err("name one bundle, or its parts".to_owned());
        }
        Ok(Call::Bundle(Bundle {
            files: self.files,
            policy: self.policy,
            heads: self.heads,
            tsa: self.tsa,
            as_of: self.as_of,
            depth: if self.tip { Depth::Tip } else { Depth::Full },
            json: self.json,
            misbehaviour: self.misbehaviour.unwrap_or_else(|| "misbehaviour".into()),
        }))
    }
}

fn instant(text: &str) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let day = text.parse::<Date>().and_then(|day| day.to_zoned(TimeZone::UTC));
    day.map(|day| day.timestamp()).map_err(|_| {
        format!("--as-of {text:?} is no day and no instant: 2026-12-31, or 2026-12-31T12:00:00Z")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(words: &[&str]) -> Result<Call, String> {
        read(std::iter::once("decklog-verify").chain(words.iter().copied()).map(OsString::from))
    }

    #[test]
    fn a_bundle_is_named_with_what_somebody_brings_along() {
        let read = call(&[
            "b.tar",
            "--policy",
            "p",
            "--head=a",
            "--head",
            "b",
            "--tsa",
            "roots",
            "--as-of",
            "2026-12-31",
            "--tip",
        ]);
        let wanted = Bundle {
            files: vec!["b.tar".into()],
            policy: Some("p".into()),
            heads: vec!["a".into(), "b".into()],
            tsa: vec!["roots".into()],
            as_of: "2026-12-31T00:00:00Z".parse().ok(),
            depth: Depth::Tip,
            json: false,
            misbehaviour: "misbehaviour".into(),
        };
        assert_eq!(read, Ok(Call::Bundle(wanted)));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for words in [
            &[][..],
            &["a", "--polcy", "p"],
            &["a", "--as-of", "yesterday"],
            &["a", "--policy"],
            &["a", "--policy", "p", "--policy", "q"],
            &["a", "--as-of", "2026-12-31", "--as-of", "2026-12-30"],
            &["a", "--misbehaviour", "d", "--misbehaviour", "e"],
            &["misbehaviour", "f"],
            &["misbehaviour", "--policy", "p"],
        ] {
            assert!(call(words).is_err(), "{words:?}");
        }
        assert_eq!(call(&["a", "--help"]), Ok(Call::Help));
    }
}
