//! `%%` in commands.

use std::collections::BTreeMap;

use super::element::Element;

/// What variables of a job stand for.
#[derive(Debug, Default)]
pub(super) struct Variables(BTreeMap<String, String>);

/// How deep variables may stand in one another.
const DEPTH_MAX: usize = 16;

/// The day a run is for, as tokens of ours.
const DATES: [(&str, &str); 7] = [
    ("$ODATE", "%Y%m%d"),
    ("ODATE", "%y%m%d"),
    ("ODAY", "%d"),
    ("OMONTH", "%m"),
    ("OYEAR", "%y"),
    ("$OYEAR", "%Y"),
    ("OJULDAY", "%j"),
];

impl Variables {
    /// Those of a job and its folders.
    pub(super) fn of(job: Element<'_>, folders: &[Element<'_>]) -> Self {
        let mut found = BTreeMap::new();
        for element in folders.iter().rev().chain([&job]) {
            for child in element.children() {
                found.extend(setting(child));
            }
        }
        for (name, attribute) in [
            ("JOBNAME", "JOBNAME"),
            ("APPLIC", "APPLICATION"),
            ("OWNER", "RUN_AS"),
            ("MEMLIB", "MEMLIB"),
        ] {
            found.extend(job.text(attribute).map(|text| (name.to_owned(), text.to_owned())));
        }
        Self(found)
    }

    /// `%%PARM1`, `%%PARM2` and so on: the arguments of a script.
    pub(super) fn arguments(&self) -> Vec<&str> {
        (1..).map_while(|n| self.0.get(&format!("PARM{n}")).map(String::as_str)).collect()
    }

    /// A text with its variables replaced.
    pub(super) fn expand(&self, text: &str) -> Result<String, String> {
        self.expand_within(text, 0)
    }

    fn expand_within(&self, text: &str, depth: usize) -> Result<String, String> {
        if depth > DEPTH_MAX {
            return Err("variables stand for each other in a circle".to_owned());
        }
        let (mut expanded, mut rest) = (String::with_capacity(text.len()), text);
        while let Some((before, after)) = rest.split_once("%%") {
            expanded.push_str(before);
            // It ends a name, and is nothing itself.
            if let Some(behind) = after.strip_prefix('.') {
                rest = behind;
                continue;
            }
            let (name, behind) = name_of(after);
            let (value, behind) = self.value(name, behind, depth)?;
            expanded.push_str(&value);
            // A dot ends a name where another variable or a dot follows.
            rest = match behind.strip_prefix('.') {
                Some(next) if next.starts_with("%%") || next.starts_with('.') => next,
                Some(_) | None => behind,
            };
        }
        expanded.push_str(rest);
        Ok(expanded)
    }

    fn value<'t>(
        &self,
        name: &str,
        behind: &'t str,
        depth: usize,
    ) -> Result<(String, &'t str), String> {
        if let Some(value) = self.0.get(name) {
            return Ok((self.expand_within(value, depth + 1)?, behind));
        }
        if let Some((_, format)) = DATES.iter().find(|(known, _)| *known == name) {
            return Ok((format!("{{{{business-date:{format}}}}}"), behind));
        }
        if name.trim_start_matches('$') == "CALCDATE" {
            return moved(behind);
        }
        Err(format!("it uses %%{name}, which nothing here stands for"))
    }
}

/// `%%$CALCDATE %%$ODATE -1`.
fn moved(text: &str) -> Result<(String, &str), String> {
    let bad = || "only %%$CALCDATE of %%$ODATE by a number of days can be carried".to_owned();
    let (name, rest) = name_of(text.trim_start().strip_prefix("%%").ok_or_else(bad)?);
    let (_, format) = DATES.iter().take(2).find(|(known, _)| *known == name).ok_or_else(bad)?;
    let rest = rest.trim_start();
    let end =
        rest.find(|c: char| !c.is_ascii_digit() && !matches!(c, '+' | '-')).unwrap_or(rest.len());
    let (number, behind) = rest.split_at(end);
    let number: i32 = number.parse().map_err(|_| bad())?;
    Ok((format!("{{{{business-date{number:+}d:{format}}}}}"), behind))
}

fn name_of(text: &str) -> (&str, &str) {
    let plain = text.strip_prefix('$').unwrap_or(text);
    let name = plain.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(plain.len());
    text.split_at(text.len() - plain.len() + name)
}

/// `<VARIABLE NAME="%%X" VALUE="y"/>`, or as older exports have it.
fn setting(element: Element<'_>) -> Option<(String, String)> {
    let bare = |name: &str| name.trim_start_matches("%%").to_owned();
    match element.name() {
        "VARIABLE" | "AUTOEDIT2" => {
            let value = element.node.attribute("VALUE").unwrap_or_default();
            Some((bare(element.text("NAME")?), value.to_owned()))
        }
        "AUTOEDIT" => {
            let (name, value) = element.text("EXP")?.split_once('=')?;
            Some((bare(name.trim()), value.trim().to_owned()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced_by_what_they_stand_for() {
        let pairs = [("A", "one"), ("B", "%%A.%%A"), ("LOOP", "%%LOOP")];
        let variables =
            Variables(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        for (text, wanted) in [
            ("x %%A y", "x one y"),
            ("%%A.%%B", "oneoneone"),
            ("%%A..log", "one.log"),
            ("%%A.log", "one.log"),
            ("%%A%%.log", "onelog"),
            ("%%$ODATE-%%ODATE", "{{business-date:%Y%m%d}}-{{business-date:%y%m%d}}"),
            (
                "%%$OYEAR%%OMONTH%%ODAY",
                "{{business-date:%Y}}{{business-date:%m}}{{business-date:%d}}",
            ),
            ("%%$CALCDATE %%$ODATE +2 x", "{{business-date+2d:%Y%m%d}} x"),
            ("100%", "100%"),
        ] {
            assert_eq!(variables.expand(text).unwrap(), wanted, "{text}");
        }
        for text in ["%%ORDERID", "%%LOOP", "%%$CALCDATE %%A 1", "%%\\GLOBAL"] {
            assert!(variables.expand(text).is_err(), "{text}");
        }
    }
}
