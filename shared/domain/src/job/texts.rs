//! Texts in what a command writes that decide its outcome: a part of a line, or a regular expression between
//! slashes.

use regex_lite::{Regex, RegexBuilder};

use crate::event::TextFound;

/// Largest compiled expression, in bytes: it bounds how long one line can take.
const EXPRESSION_BYTES_MAX: usize = 128 * 1024;

/// A text to be found in a line.
#[derive(Debug)]
pub struct LineText {
    text: String,
    /// Where it is one.
    expression: Option<Regex>,
}

impl LineText {
    /// Reads a text as it is written in a definition.
    ///
    /// # Errors
    /// The regular expression is none, and why.
    pub fn read(text: &str) -> Result<Self, String> {
        let between = text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
        let compile = |expression: &str| {
            if expression.is_empty() {
                return Err(format!("`{text}`: there is no expression between the slashes"));
            }
            let built = RegexBuilder::new(expression).size_limit(EXPRESSION_BYTES_MAX).build();
            built.map_err(|error| format!("`{text}` is no regular expression: {error}"))
        };
        Ok(Self { text: text.to_owned(), expression: between.map(compile).transpose()? })
    }

    /// Whether it is in this line.
    pub fn is_in(&self, line: &str) -> bool {
        match &self.expression {
            Some(expression) => expression.is_match(line),
            None => line.contains(&self.text),
        }
    }
}

/// The texts of one attempt, and what was found of them.
#[derive(Debug, Default)]
pub struct OutputTexts {
    success: Vec<LineText>,
    failure: Vec<LineText>,
    succeeded: bool,
    failed: Option<String>,
}

impl OutputTexts {
    /// Reads the texts of a definition.
    ///
    /// # Errors
    /// The first that cannot be read, and why.
    pub fn read(success: &[String], failure: &[String]) -> Result<Self, String> {
        let read = |texts: &[String]| {
            texts.iter().map(|text| LineText::read(text)).collect::<Result<Vec<_>, _>>()
        };
        Ok(Self { success: read(success)?, failure: read(failure)?, ..Self::default() })
    }

    /// Whether no further line can change what was found.
    pub fn is_decided(&self) -> bool {
        let no_success_wanted = self.success.is_empty() || self.succeeded;
        self.failed.is_some() || (no_success_wanted && self.failure.is_empty())
    }

    /// Looks at one more line.
    pub fn look(&mut self, line: &str) {
        if self.failed.is_none() {
            let found = self.failure.iter().find(|text| text.is_in(line));
            self.failed = found.map(|found| found.text.clone());
        }
        self.succeeded = self.succeeded || self.success.iter().any(|text| text.is_in(line));
    }

    /// What decides the outcome, if anything does. A failure text beats every success text.
    pub fn found(&self) -> Option<TextFound> {
        let missing = !self.success.is_empty() && !self.succeeded;
        let failure = self.failed.clone().map(TextFound::Failure);
        failure.or_else(|| missing.then_some(TextFound::NoSuccess))
    }
}
