//! Texts with places that are filled: `{name}`.

/// Most bytes of a text that was filled.
const MOST: usize = 1 << 20;

/// A template that cannot be filled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Nobody knows what goes there.
    #[error("there is nothing to put for {{{name}}}; there is {}", listed(.there))]
    Unknown {
        /// What stands between the braces.
        name: String,
        /// What there is.
        there: Vec<String>,
    },
    /// A brace that is neither doubled nor one of a pair.
    #[error("the {brace} at character {at} has no partner; a brace that is meant is doubled")]
    Brace {
        /// Which one.
        brace: char,
        /// Where, from 1.
        at: usize,
    },
    /// The filled text is too long.
    #[error("the filled text has more than {MOST} bytes")]
    TooLong,
}

fn listed(there: &[String]) -> String {
    if there.is_empty() {
        return "nothing".to_owned();
    }
    there.iter().map(|name| format!("{{{name}}}")).collect::<Vec<_>>().join(", ")
}

/// Fills each `{name}` of a text with its value; `{{` is `{` and `}}` is `}`. Values are not read again.
///
/// # Errors
/// When a name has no value, a brace stands alone, or the result is longer than a mebibyte.
pub fn template(text: &str, values: &[(&str, &str)]) -> Result<String, TemplateError> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(place) = rest.find(['{', '}']) {
        filled.push_str(&rest[..place]);
        let at = text.len() - rest.len() + place;
        rest = one_place(text, at, values, &mut filled)?;
        check_length(&filled)?;
    }
    filled.push_str(rest);
    check_length(&filled)?;
    Ok(filled)
}

/// Fills what stands at the brace at this byte; what comes after it.
fn one_place<'a>(
    text: &'a str,
    at: usize,
    values: &[(&str, &str)],
    filled: &mut String,
) -> Result<&'a str, TemplateError> {
    let rest = &text[at..];
    for (doubled, meant) in [("{{", '{'), ("}}", '}')] {
        if let Some(after) = rest.strip_prefix(doubled) {
            filled.push(meant);
            return Ok(after);
        }
    }
    let alone = || {
        let brace = if rest.starts_with('{') { '{' } else { '}' };
        TemplateError::Brace { brace, at: text[..at].chars().count() + 1 }
    };
    let inside = rest.strip_prefix('{').ok_or_else(alone)?;
    let (name, after) = inside.split_once('}').ok_or_else(alone)?;
    if name.contains('{') {
        return Err(alone());
    }
    filled.push_str(value_of(name, values)?);
    Ok(after)
}

fn value_of<'a>(name: &str, values: &[(&str, &'a str)]) -> Result<&'a str, TemplateError> {
    let found = values.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    found.ok_or_else(|| {
        let there = values.iter().map(|(known, _)| (*known).to_owned()).collect();
        TemplateError::Unknown { name: name.to_owned(), there }
    })
}

fn check_length(filled: &str) -> Result<(), TemplateError> {
    if filled.len() > MOST { Err(TemplateError::TooLong) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUES: [(&str, &str); 2] = [("report", "Prüfung {date}"), ("date", "2026-11-30")];

    #[test]
    fn places_are_filled_once_and_doubled_braces_are_braces() {
        let filled = template("{report} of {date}: {{ö}}", &VALUES).expect("it can be filled");
        assert_eq!(filled, "Prüfung {date} of 2026-11-30: {ö}");
        assert_eq!(template("", &[]).expect("nothing to fill"), "");
        assert_eq!(template("{{{date}}}", &VALUES).expect("braces around"), "{2026-11-30}");
    }

    #[test]
    fn an_unknown_place_is_an_error_that_lists_what_there_is() {
        let error = template("{recipient}", &VALUES).expect_err("nobody knows it");
        let said = "there is nothing to put for {recipient}; there is {report}, {date}";
        assert_eq!(error.to_string(), said);
        let error = template("{}", &[]).expect_err("nobody knows it");
        assert_eq!(error.to_string(), "there is nothing to put for {}; there is nothing");
    }

    #[test]
    fn a_brace_that_stands_alone_is_an_error_that_says_where() {
        for (text, brace, at) in [("ä{date", '{', 2), ("a}b", '}', 2), ("{a{date}", '{', 1)] {
            let error = template(text, &VALUES).expect_err(text);
            assert_eq!(error, TemplateError::Brace { brace, at }, "{text}");
        }
    }

    #[test]
    fn a_text_that_grows_without_end_is_refused() {
        let long = "x".repeat(MOST);
        assert_eq!(template("{a}{a}", &[("a", &long)]), Err(TemplateError::TooLong));
    }
}
