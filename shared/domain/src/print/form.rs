//! Forms, as people write them: numbered stock such as checks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::job::Problem;

/// The word that makes a document a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FormKind {
    /// A form.
    #[default]
    Form,
}

/// A form, as written in a YAML document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FormDefinition {
    /// Always `form`.
    pub kind: FormKind,
    /// Its name: `[a-z0-9][a-z0-9._-]{0,62}`.
    pub name: String,
    /// What it is, in a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Whom to ask about it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub owner: String,
    /// The account its numbers belong to, by a name and never by its number.
    pub account: String,
    /// The queue whose printer has it in its tray.
    pub queue: String,
    /// Digits of a number, with zeros in front, as people see it.
    #[serde(default = "six", skip_serializing_if = "is_six")]
    pub digits: u8,
    /// The file for the bank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub positive_pay: Option<PositivePay>,
}

/// How the file for the bank is written: one line for each number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PositivePay {
    /// The columns, in order.
    pub columns: Vec<PayColumn>,
    /// What stands between them.
    #[serde(default = "comma", skip_serializing_if = "is_comma")]
    pub separator: char,
    /// Whether the first line names the columns.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub header: bool,
    /// Whether amounts are written in the smallest unit, without a point.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cents: bool,
    /// How dates are written, in strftime's words.
    #[serde(default = "iso", skip_serializing_if = "is_iso")]
    pub date: String,
    /// The word for a number that is to be paid.
    #[serde(default = "issued", skip_serializing_if = "is_issued")]
    pub issued: String,
    /// The word for one that is not.
    #[serde(default = "void", skip_serializing_if = "is_void")]
    pub void: String,
}

/// A column of the file for the bank.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PayColumn {
    /// The account, as the bank knows it: the host that writes the file has it in a secret of this name.
    Account,
    /// The number.
    Number,
    /// The amount.
    Amount,
    /// The payee.
    Payee,
    /// The day it was printed on, or, of one that is not to be paid, the day it was made void.
    Date,
    /// Whether it is to be paid.
    Status,
    /// Always this text.
    Text(String),
}

impl PayColumn {
    /// What stands in the first line.
    pub fn title(&self) -> &str {
        match self {
            Self::Account => "account",
            Self::Number => "number",
            Self::Amount => "amount",
            Self::Payee => "payee",
            Self::Date => "date",
            Self::Status => "status",
            Self::Text(_) => "",
        }
    }
}

impl FormDefinition {
    /// Everything that is wrong with it.
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut add = |field: &str, message: String| {
            found.push(Problem { field: field.to_owned(), message });
        };
        if !crate::ids::is_name(&self.queue) {
            add("queue", format!("{:?} is not the name of a queue", self.queue));
        }
        if self.account.trim().is_empty() || self.account.len() > 100 {
            add("account", "1 to 100 bytes".to_owned());
        }
        // Seven digits in a row are no name of an account.
        if self.account.as_bytes().windows(7).any(|seven| seven.iter().all(u8::is_ascii_digit)) {
            add(
                "account",
                "write a name for it, not its number: definitions are for everybody".to_owned(),
            );
        }
        if !(1..=18).contains(&self.digits) {
            add("digits", "1 to 18".to_owned());
        }
        if let Some(pay) = &self.positive_pay {
            if !(1..=20).contains(&pay.columns.len()) {
                add("positive-pay.columns", "1 to 20".to_owned());
            }
            if pay.separator.is_alphanumeric() || "\"\n\r.-".contains(pay.separator) {
                add("positive-pay.separator", "a character such as , ; or a tab".to_owned());
            }
            let day = jiff::civil::date(2026, 11, 20);
            if jiff::fmt::strtime::format(&pay.date, day).is_err() {
                add("positive-pay.date", format!("{:?} cannot be written; %Y-%m-%d can", pay.date));
            }
        }
        found
    }

    /// A number as people see it.
    pub fn shown(&self, number: u64) -> String {
        format!("{number:0width$}", width = usize::from(self.digits))
    }
}

fn six() -> u8 {
    6
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_six(n: &u8) -> bool {
    *n == 6
}

fn comma() -> char {
    ','
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_comma(c: &char) -> bool {
    *c == ','
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_yes(is: &bool) -> bool {
    *is
}

fn iso() -> String {
    "%Y-%m-%d".to_owned()
}

fn is_iso(text: &str) -> bool {
    text == "%Y-%m-%d"
}

fn issued() -> String {
    "I".to_owned()
}

fn is_issued(text: &str) -> bool {
    text == "I"
}

fn void() -> String {
    "V".to_owned()
}

fn is_void(text: &str) -> bool {
    text == "V"
}
