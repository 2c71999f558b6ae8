//! Who has which address: the list a host keeps for itself.

use std::collections::HashMap;

use crate::{Address, AddressError};

/// Most lines of a list.
const MOST_LINES: usize = 100_000;
/// Most bytes of a line.
const MOST_BYTES: usize = 2_000;

/// One recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What others call the recipient.
    pub key: String,
    /// Where mail goes.
    pub address: Address,
    /// What the recipient is called in a message; empty if nobody said.
    pub name: String,
    /// The line of the list, from 1.
    pub line: usize,
}

/// A list of recipients, each with a key of its own.
#[derive(Debug, Clone, Default)]
pub struct AddressList {
    entries: Vec<Entry>,
    places: HashMap<String, usize>,
}

/// A list that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressListError {
    /// A line that is not `key,address` or `key,address,name`.
    #[error("line {line}: {why}; a line is key,address or key,address,name")]
    Line {
        /// From 1.
        line: usize,
        /// What is wrong.
        why: &'static str,
    },
    /// The address of a line is none.
    #[error("line {line}: {error}")]
    Address {
        /// From 1.
        line: usize,
        /// What is wrong with it.
        error: AddressError,
    },
    /// Two lines have one key.
    #[error("line {line}: the key {key:?} stands in line {before} already")]
    Twice {
        /// From 1.
        line: usize,
        /// The key.
        key: String,
        /// The line that had it first.
        before: usize,
    },
    /// There are too many lines.
    #[error("there are more than {MOST_LINES} lines")]
    TooLong,
}

impl AddressList {
    /// Reads lines `key,address` or `key,address,name`. A value with a comma or quotes stands in quotes (RFC 4180 §2),
    /// within one line. Empty lines and those that begin with `#` say nothing.
    ///
    /// # Errors
    /// The first line that is wrong, with its number.
    pub fn read(text: &str) -> Result<Self, AddressListError> {
        let mut list = Self::default();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (at, line) in text.lines().enumerate() {
            if at >= MOST_LINES {
                return Err(AddressListError::TooLong);
            }
            if !line.trim().is_empty() && !line.starts_with('#') {
                list.add(read_line(line, at + 1)?)?;
            }
        }
        Ok(list)
    }

    /// The recipient of this key.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.places.get(key).and_then(|&place| self.entries.get(place))
    }

    /// All recipients, in the order of the list.
    pub fn iter(&self) -> std::slice::Iter<'_, Entry> {
        self.entries.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn add(&mut self, entry: Entry) -> Result<(), AddressListError> {
        if let Some(first) = self.get(&entry.key) {
            let (line, before) = (entry.line, first.line);
            return Err(AddressListError::Twice { line, key: entry.key, before });
        }
        self.places.insert(entry.key.clone(), self.entries.len());
        self.entries.push(entry);
        Ok(())
    }
}

impl<'a> IntoIterator for &'a AddressList {
    type Item = &'a Entry;
    type IntoIter = std::slice::Iter<'a, Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

fn read_line(text: &str, line: usize) -> Result<Entry, AddressListError> {
    let bad = |why| AddressListError::Line { line, why };
    let values = values(text).map_err(bad)?;
    let mut values = values.into_iter();
    let (Some(key), Some(address)) = (values.next(), values.next()) else {
        return Err(bad("it has no address"));
    };
    let name = values.next().unwrap_or_default();
    if values.next().is_some() {
        return Err(bad("it has more than three values"));
    }
    if key.is_empty() {
        return Err(bad("its key is empty"));
    }
    let address = address.parse().map_err(|error| AddressListError::Address { line, error })?;
    Ok(Entry { key, address, name, line })
}

/// The values of a line; spaces around them do not count, unless they stand in quotes.
fn values(text: &str) -> Result<Vec<String>, &'static str> {
    if text.len() > MOST_BYTES {
        return Err("it is too long");
    }
    let mut found = Vec::new();
    let mut rest = Some(text);
    while let Some(text) = rest {
        let (value, after) = match text.trim_start().strip_prefix('"') {
            Some(quoted) => quoted_value(quoted)?,
            None => bare_value(text)?,
        };
        if value.chars().any(char::is_control) {
            return Err("it has a control character");
        }
        found.push(value);
        rest = after;
    }
    Ok(found)
}

fn bare_value(text: &str) -> Result<(String, Option<&str>), &'static str> {
    let (value, after) = text.split_once(',').map_or((text, None), |(v, after)| (v, Some(after)));
    if value.contains('"') {
        return Err("a value with quotes in it stands in quotes, and each of its own is doubled");
    }
    Ok((value.trim().to_owned(), after))
}

fn quoted_value(text: &str) -> Result<(String, Option<&str>), &'static str> {
    let (mut value, mut rest) = (String::new(), text);
    loop {
        let (part, after) = rest.split_once('"').ok_or("a quote is not closed on its line")?;
        value.push_str(part);
        let Some(more) = after.strip_prefix('"') else {
            rest = after.trim_start();
            break;
        };
        value.push('"');
        rest = more;
    }
    match rest.strip_prefix(',') {
        Some(after) => Ok((value, Some(after))),
        None if rest.is_empty() => Ok((value, None)),
        None => Err("something stands between a closing quote and the comma"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        AddressList::read(text).expect_err(text).to_string()
    }

    #[test]
    fn a_list_is_read_in_order_with_quotes_and_comments() {
        let text = "\u{feff}# who,where\r\nhr , hr@example.com\r\n\r\n\
                    audit,\"audit@example.com\",\"Müller, \"\"Hans\"\" \"\r\n";
        let list = AddressList::read(text).expect("it is a list");
        let keys: Vec<&str> = list.iter().map(|entry| entry.key.as_str()).collect();
        assert_eq!(keys, ["hr", "audit"]);
        let audit = list.get("audit").expect("it is there");
        assert_eq!((audit.name.as_str(), audit.line), ("Müller, \"Hans\" ", 4));
        assert_eq!(audit.address.to_string(), "audit@example.com");
        assert_eq!(list.get("hr").map(|entry| entry.name.as_str()), Some(""));
        assert!(list.get("other").is_none() && list.len() == 2);
    }

    #[test]
    fn a_key_that_stands_twice_names_both_lines() {
        let said = error("hr,a@example.com\n#\n\"hr\",b@example.com");
        assert_eq!(said, "line 3: the key \"hr\" stands in line 1 already");
    }

    #[test]
    fn a_line_that_is_wrong_is_named() {
        for (text, why) in [
            ("hr", "line 1: it has no address"),
            ("\nhr,hans", "line 2: \"hans\" is no address: it has no @"),
            (",a@example.com", "line 1: its key is empty"),
            ("hr,a@example.com,x,y", "line 1: it has more than three values"),
            ("hr,\"a@example.com", "line 1: a quote is not closed"),
            ("hr,\"a@example.com\"x", "line 1: something stands between"),
            ("hr,a@example.com,Hans \"H\" M", "line 1: a value with quotes in it"),
            ("hr,a@example.com,Hans\u{0}", "line 1: it has a control character"),
        ] {
            assert!(error(text).starts_with(why), "{text:?}: {}", error(text));
        }
    }

    #[test]
    fn a_list_and_a_line_have_a_length_that_is_enough() {
        assert_eq!(error(&"#\n".repeat(MOST_LINES + 1)), "there are more than 100000 lines");
        let long = format!("hr,a@example.com,{}", "x".repeat(MOST_BYTES));
        assert!(error(&long).starts_with("line 1: it is too long"));
        let most: String = (0..MOST_LINES).map(|n| format!("{n},a{n}@example.com\n")).collect();
        assert_eq!(AddressList::read(&most).expect("it is not too long").len(), MOST_LINES);
    }
}
