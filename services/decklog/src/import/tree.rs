//! A document as a tree whose parts know their lines: YAML, or XML put into the same shape.

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

/// A part of a document.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tree {
    /// The line it begins at, from 1.
    pub(super) line: usize,
    /// What it is.
    pub(super) part: Part,
}

/// What a part is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Part {
    /// Nothing.
    Nothing,
    /// A text; numbers and flags too.
    Text(String),
    /// Parts one after another.
    List(Vec<Tree>),
    /// Parts with names.
    Map(Vec<(String, Tree)>),
}

impl Tree {
    pub(super) fn text_of(line: usize, text: impl Into<String>) -> Self {
        Self { line, part: Part::Text(text.into()) }
    }

    /// Reads YAML; an error has its line.
    pub(super) fn yaml(text: &str) -> Result<Vec<Self>, (usize, String)> {
        let read: Result<Vec<Yaml>, _> = serde_saphyr::from_multiple_with_options(text, options());
        let refused = |error: &serde_saphyr::Error| {
            let error = error.without_snippet();
            let line = error.location().map_or(0, |at| at.line());
            (usize::try_from(line).unwrap_or(0), error.to_string())
        };
        Ok(read.map_err(|error| refused(&error))?.into_iter().map(Yaml::tree).collect())
    }

    /// The part with this name; a part that is nothing counts as absent.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        let found = self.entries().iter().find(|(key, _)| key == name).map(|(_, tree)| tree);
        found.filter(|tree| tree.part != Part::Nothing)
    }

    /// Its parts with names.
    pub(super) fn entries(&self) -> &[(String, Self)] {
        if let Part::Map(entries) = &self.part { entries } else { &[] }
    }

    /// Its parts one after another.
    pub(super) fn list(&self) -> &[Self] {
        if let Part::List(list) = &self.part { list } else { &[] }
    }

    /// It as a text.
    pub(super) fn text(&self) -> Option<&str> {
        if let Part::Text(text) = &self.part { Some(text) } else { None }
    }

    /// The text with this name, if there is one and it is not empty.
    pub(super) fn text_at(&self, name: &str) -> Option<&str> {
        self.get(name)?.text().map(str::trim).filter(|text| !text.is_empty())
    }

    /// Whether the part with this name says yes; `None` where it says nothing.
    pub(super) fn flag_at(&self, name: &str) -> Option<bool> {
        self.text_at(name).map(|text| text.eq_ignore_ascii_case("true"))
    }

    /// The line of the part with this name, or its own.
    pub(super) fn line_of(&self, name: &str) -> usize {
        self.entries().iter().find(|(key, _)| key == name).map_or(self.line, |(_, tree)| tree.line)
    }
}

/// Most keys, values and lists in one file: an export of a site has many jobs.
const NODES_MAX: usize = 5_000_000;

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_nodes: NODES_MAX,
            max_events: 2 * NODES_MAX,
        },
    }
}

/// A part of a YAML document as its reader gives it.
#[derive(Deserialize)]
#[serde(transparent)]
struct Yaml(Spanned<YamlPart>);

enum YamlPart {
    Nothing,
    Text(String),
    List(Vec<Yaml>),
    Map(Vec<(Spanned<String>, Yaml)>),
}

impl Yaml {
    fn tree(self) -> Tree {
        let line = line(&self.0);
        let part = match self.0.value {
            YamlPart::Nothing => Part::Nothing,
            YamlPart::Text(text) => Part::Text(text),
            YamlPart::List(list) => Part::List(list.into_iter().map(Self::tree).collect()),
            YamlPart::Map(map) => Part::Map(map.into_iter().map(Self::entry).collect()),
        };
        Tree { line, part }
    }

    /// What has a name begins where its name stands.
    fn entry((key, value): (Spanned<String>, Self)) -> (String, Tree) {
        let line = line(&key);
        (key.value, Tree { line, ..value.tree() })
    }
}

fn line<T>(spanned: &Spanned<T>) -> usize {
    usize::try_from(spanned.referenced.line()).unwrap_or(0)
}

impl<'de> Deserialize<'de> for YamlPart {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PartVisitor)
    }
}

struct PartVisitor;

impl<'de> Visitor<'de> for PartVisitor {
    type Value = YamlPart;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a text, a list or a map")
    }

    fn visit_unit<E: Error>(self) -> Result<YamlPart, E> {
        Ok(YamlPart::Nothing)
    }

    fn visit_none<E: Error>(self) -> Result<YamlPart, E> {
        Ok(YamlPart::Nothing)
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<YamlPart, E> {
        Ok(YamlPart::Text(flag.to_string()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<YamlPart, E> {
        Ok(YamlPart::Text(number.to_string()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<YamlPart, E> {
        Ok(YamlPart::Text(number.to_string()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<YamlPart, E> {
        Ok(YamlPart::Text(number.to_string()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<YamlPart, E> {
        Ok(YamlPart::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<YamlPart, A::Error> {
        let mut list = Vec::new();
        while let Some(entry) = seq.next_element()? {
            list.push(entry);
        }
        Ok(YamlPart::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<YamlPart, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(YamlPart::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_a_yaml_file_knows_its_line() {
        let text = "- name: a\n  retry: 3\n  steps:\n  - exec: |\n      one\n      two\n  - x: true\n    y:\n- name: b\n";
        let trees = Tree::yaml(text).unwrap();
        let jobs = trees[0].list();
        assert_eq!(jobs.iter().map(|job| job.line).collect::<Vec<_>>(), [1, 9]);
        assert_eq!(jobs[0].text_at("retry"), Some("3"));
        let steps = jobs[0].get("steps").unwrap().list();
        assert_eq!(steps.iter().map(|step| step.line).collect::<Vec<_>>(), [4, 7]);
        assert_eq!(steps[0].text_at("exec"), Some("one\ntwo"));
        assert_eq!((steps[1].flag_at("x"), steps[1].get("y")), (Some(true), None));
        assert!(Tree::yaml("a: [1\n").unwrap_err().0 > 0);
    }
}
