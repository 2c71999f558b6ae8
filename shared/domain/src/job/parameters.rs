//! Parameters of a job, and the tokens in double braces that stand for them.
//!
//! `{{month}}` is the value of the parameter `month`. Built in are `{{job}}`, `{{run}}`, `{{attempt}}`,
//! `{{occurrence}}` (the run's instant in the job's zone) and `{{business-date}}`, the last also moved and
//! formatted: `{{business-date-1mo:%Y-%m}}`. What else stands in double braces is left as it is.

use std::collections::BTreeMap;

use jiff::ToSpan as _;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// A parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Parameter {
    /// What its values are.
    #[serde(default, rename = "type")]
    pub of: ParameterType,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Its value where nobody gives one; it may hold built-in tokens. Without one it must be given.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "scalar")]
    #[schemars(with = "Option<String>")]
    pub default: Option<String>,
    /// Its values, for a `choice`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// The environment variable that holds it; none where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<String>,
}

/// What the values of a parameter are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ParameterType {
    /// Any text of at most 1000 bytes.
    #[default]
    Text,
    /// A whole number.
    Integer,
    /// A date: 2026-11-20.
    Date,
    /// `true` or `false`.
    Flag,
    /// One of `choices`.
    Choice,
}

/// Longest value, in bytes.
const VALUE_BYTES_MAX: usize = 1_000;

/// A text, or a number or flag that is meant as one.
fn scalar<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    struct Scalar;

    impl Visitor<'_> for Scalar {
        type Value = Option<String>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a text, a number or a flag")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Some(text.to_owned()))
        }

        fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
            Ok(Some(number.to_string()))
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
            Ok(Some(number.to_string()))
        }

        fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Self::Value, E> {
            Ok(Some(flag.to_string()))
        }

        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
    }

    deserializer.deserialize_any(Scalar)
}

impl Parameter {
    /// Checks a value.
    ///
    /// # Errors
    /// What a value of this parameter looks like.
    pub fn check(&self, value: &str) -> Result<(), String> {
        if value.len() > VALUE_BYTES_MAX || value.contains('\0') {
            return Err(format!("a value has at most {VALUE_BYTES_MAX} bytes and no NUL"));
        }
        match self.of {
            ParameterType::Text => Ok(()),
            ParameterType::Integer => {
                value.parse::<i64>().map(drop).map_err(|_| format!("{value:?} is no whole number"))
            }
            ParameterType::Date => {
                let shape = value.len() == 10 && value.parse::<Date>().is_ok();
                if shape { Ok(()) } else { Err(format!("{value:?} is no date such as 2026-11-20")) }
            }
            ParameterType::Flag if matches!(value, "true" | "false") => Ok(()),
            ParameterType::Flag => Err(format!("{value:?} is neither true nor false")),
            ParameterType::Choice if self.choices.iter().any(|choice| choice == value) => Ok(()),
            ParameterType::Choice => {
                Err(format!("{value:?} is none of {}", self.choices.join(", ")))
            }
        }
    }
}

/// Whether `name` can be a parameter's: `[a-z][a-z0-9-]*`, and no built-in token's.
pub fn is_parameter(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_lowercase())
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && name.len() <= 40
        && !BUILT_IN.contains(&name)
        && !name.starts_with(BUSINESS_DATE)
}

const BUSINESS_DATE: &str = "business-date";
const BUILT_IN: [&str; 4] = ["job", "run", "attempt", "occurrence"];

/// What tokens stand for in one attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Tokens<'a> {
    /// Values of parameters.
    pub parameters: &'a BTreeMap<String, String>,
    /// The business day of the run.
    pub business_date: Date,
    /// The run's instant in the job's zone.
    pub occurrence: String,
    /// The job.
    pub job: &'a str,
    /// The run.
    pub run: &'a str,
    /// Number of the attempt.
    pub attempt: u32,
}

impl Tokens<'_> {
    /// A text with every token replaced.
    ///
    /// # Errors
    /// A token cannot be read, in a sentence.
    pub fn expand(&self, text: &str) -> Result<String, String> {
        let mut expanded = String::with_capacity(text.len());
        for part in split(text) {
            match part {
                Part::Text(text) => expanded.push_str(text),
                Part::Token(token) => match self.value(token)? {
                    Some(value) => expanded.push_str(&value),
                    None => expanded.push_str(&format!("{{{{{token}}}}}")),
                },
            }
        }
        Ok(expanded)
    }

    fn value(&self, token: &str) -> Result<Option<String>, String> {
        if let Some(rest) = token.strip_prefix(BUSINESS_DATE) {
            return DateToken::parse(rest)?.format(self.business_date).map(Some);
        }
        Ok(match token {
            "job" => Some(self.job.to_owned()),
            "run" => Some(self.run.to_owned()),
            "attempt" => Some(self.attempt.to_string()),
            "occurrence" => Some(self.occurrence.clone()),
            name => self.parameters.get(name).cloned(),
        })
    }
}

/// The tokens of a text that are no parameter of `known` and not built in, and what is wrong with built-in ones.
pub fn token_problems(text: &str, known: &BTreeMap<String, Parameter>) -> Vec<String> {
    let mut problems = Vec::new();
    for token in split(text).into_iter().filter_map(Part::token) {
        if let Some(rest) = token.strip_prefix(BUSINESS_DATE) {
            let example = jiff::civil::date(2026, 11, 20);
            if let Err(problem) = DateToken::parse(rest).and_then(|date| date.format(example)) {
                problems.push(problem);
            }
        } else if is_parameter(token) && !known.contains_key(token) && !known.is_empty() {
            let names: Vec<&str> = known.keys().map(String::as_str).collect();
            problems.push(format!(
                "`{{{{{token}}}}}` is no parameter of this job; there are {}",
                names.join(", ")
            ));
        }
    }
    problems
}

enum Part<'a> {
    Text(&'a str),
    Token(&'a str),
}

impl<'a> Part<'a> {
    fn token(self) -> Option<&'a str> {
        if let Self::Token(token) = self { Some(token) } else { None }
    }
}

/// Cuts a text at its tokens: a name in double braces, or the business date with what follows it.
fn split(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((token, behind)) = after.split_once("}}") else { break };
        parts.push(Part::Text(before));
        let is_token = is_parameter(token)
            || BUILT_IN.contains(&token)
            || token
                .strip_prefix(BUSINESS_DATE)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '+', '-']));
        if is_token {
            parts.push(Part::Token(token));
            rest = behind;
        } else {
            // A brace of somebody else's; the next one may begin a token of ours.
            parts.push(Part::Text("{"));
            rest = rest.get(before.len() + 1..).unwrap_or_default();
        }
    }
    parts.push(Part::Text(rest));
    parts
}

/// What follows `business-date` in a token: `-1mo:%Y-%m`.
struct DateToken<'a> {
    by: jiff::Span,
    format: &'a str,
}

impl<'a> DateToken<'a> {
    fn parse(rest: &'a str) -> Result<Self, String> {
        let (by, format) = rest.split_once(':').unwrap_or((rest, "%Y-%m-%d"));
        let bad = || {
            format!(
                "`{{{{{BUSINESS_DATE}{rest}}}}}` cannot be read: write {{{{business-date}}}}, or moved by d, w, mo or y and with a format: {{{{business-date-1mo:%Y-%m}}}}"
            )
        };
        if by.is_empty() {
            return Ok(Self { by: jiff::Span::new(), format });
        }
        let (sign, amount) = match (by.strip_prefix('+'), by.strip_prefix('-')) {
            (Some(amount), _) => (1, amount),
            (None, Some(amount)) => (-1, amount),
            (None, None) => return Err(bad()),
        };
        let unit = amount.trim_start_matches(|c: char| c.is_ascii_digit());
        let digits = amount.strip_suffix(unit).unwrap_or_default();
        let number: i32 = digits.parse().map_err(|_| bad())?;
        let number = sign * number;
        if number.unsigned_abs() > 10_000 {
            return Err(bad());
        }
        let by = match unit {
            "d" => number.days(),
            "w" => number.weeks(),
            "mo" => number.months(),
            "y" if number.unsigned_abs() <= 1_000 => number.years(),
            _ => return Err(bad()),
        };
        Ok(Self { by, format })
    }

    fn format(&self, date: Date) -> Result<String, String> {
        let moved = date.checked_add(self.by).map_err(|error| error.to_string())?;
        jiff::fmt::strtime::format(self.format, moved).map_err(|error| {
            format!("the format `{}` cannot be used for a date: {error}", self.format)
        })
    }
}

/// The values of all parameters of a run: what was given, and defaults.
///
/// # Errors
/// One is missing, unknown, or not what its type says; in a sentence.
pub fn resolve(
    declared: &BTreeMap<String, Parameter>,
    given: &BTreeMap<String, String>,
    tokens: &Tokens<'_>,
) -> Result<BTreeMap<String, String>, String> {
    if let Some(name) = given.keys().find(|name| !declared.contains_key(*name)) {
        let names: Vec<&str> = declared.keys().map(String::as_str).collect();
        let there_are = if names.is_empty() {
            "it has none".to_owned()
        } else {
            format!("there are {}", names.join(", "))
        };
        return Err(format!("job {} has no parameter {name:?}; {there_are}", tokens.job));
    }
    let mut values = BTreeMap::new();
    for (name, parameter) in declared {
        let value = match (given.get(name), &parameter.default) {
            (Some(value), _) => value.clone(),
            (None, Some(default)) => tokens.expand(default)?,
            (None, None) => {
                return Err(format!("parameter {name:?} has no default and must be given"));
            }
        };
        parameter.check(&value).map_err(|problem| format!("parameter {name:?}: {problem}"))?;
        values.insert(name.clone(), value);
    }
    Ok(values)
}
