//! Which of its resources a content stream uses.

use std::collections::{BTreeMap, BTreeSet};

use super::content::{Operation, Operations};
use super::file::{File, damaged};
use super::object::{Dict, Object};
use super::read::{SAVED, TOO_MANY_STATES};
use crate::DocumentError;

/// How deep content without resources of its own may be in other content.
const DEPTH: usize = 12;
/// What looking at a content stream counts as work at least, in bytes.
const LOOK_WORK: usize = 1024;
/// Colour spaces that are used without being named (8.6.5.6).
const DEFAULTS: [&str; 3] = ["DefaultGray", "DefaultRGB", "DefaultCMYK"];
/// What is drawn by a font where its content has not named one: it was set outside.
const OUTSIDE: &[u8] = b"";

/// Names of resources, by category.
#[derive(Default)]
pub(super) struct Used {
    names: BTreeSet<(&'static str, Vec<u8>)>,
    /// Bytes of the strings that are shown in each font.
    pub(super) bytes: BTreeMap<Vec<u8>, BTreeSet<u8>>,
}

/// A content stream that is looked at.
struct Look<'u, 'f, 'a> {
    file: &'f File<'a>,
    resources: &'u Dict,
    used: &'u mut Used,
    font: Vec<u8>,
    saved: Vec<Vec<u8>>,
    depth: usize,
}

impl Used {
    /// What a content stream uses, also through forms, patterns and fonts that have no resources of their own.
    pub(super) fn by(
        file: &File<'_>,
        content: &[u8],
        resources: &Dict,
    ) -> Result<Self, DocumentError> {
        let mut used = Self::default();
        for name in DEFAULTS {
            used.names.insert(("ColorSpace", name.as_bytes().to_vec()));
        }
        used.look(file, content, resources, 0)?;
        Ok(used)
    }

    /// Looks at one more stream with the same resources.
    pub(super) fn look(
        &mut self,
        file: &File<'_>,
        content: &[u8],
        resources: &Dict,
        depth: usize,
    ) -> Result<(), DocumentError> {
        file.spend(LOOK_WORK)?;
        let mut look =
            Look { file, resources, used: self, font: OUTSIDE.to_vec(), saved: vec![], depth };
        let mut operations = Operations::new(content);
        while let Some(operation) = operations.next().map_err(damaged)? {
            look.operation(&operation)?;
        }
        Ok(())
    }

    pub(super) fn has(&self, category: &'static str, name: &[u8]) -> bool {
        self.names.contains(&(category, name.to_vec()))
    }

    /// Bytes that are shown in a font, and in fonts that were set outside.
    pub(super) fn shown_in(&self, font: &[u8]) -> BTreeSet<u8> {
        let of = |font: &[u8]| self.bytes.get(font).cloned().unwrap_or_default();
        &of(font) | &of(OUTSIDE)
    }
}

impl Look<'_, '_, '_> {
    fn operation(&mut self, operation: &Operation<'_>) -> Result<(), DocumentError> {
        let first = operation.operands.first();
        let last = operation.operands.last();
        match operation.operator {
            b"q" if self.saved.len() >= SAVED => return Err(damaged(TOO_MANY_STATES)),
            b"q" => self.saved.push(self.font.clone()),
            b"Q" => self.font = self.saved.pop().unwrap_or_default(),
            b"Tf" => {
                self.name("Font", first)?;
                let name = first.and_then(Object::name).filter(|name| self.used.has("Font", name));
                self.font = name.unwrap_or(OUTSIDE).to_vec();
            }
            b"Do" => return self.name("XObject", first),
            b"gs" => {
                // It may set a font.
                self.font = OUTSIDE.to_vec();
                return self.name("ExtGState", first);
            }
            b"cs" | b"CS" => return self.name("ColorSpace", first),
            b"scn" | b"SCN" => return self.name("Pattern", last),
            b"sh" => return self.name("Shading", first),
            b"BDC" | b"DP" => return self.name("Properties", operation.operands.get(1)),
            b"Tj" | b"TJ" | b"'" | b"\"" => self.show(last),
            b"BI" => {
                let image = first.and_then(Object::dict);
                let space = image.and_then(|image| image.get("CS").or(image.get("ColorSpace")));
                let named = space.and_then(Object::array).and_then(<[_]>::last).or(space);
                return self.name("ColorSpace", named);
            }
            _ => {}
        }
        Ok(())
    }

    fn show(&mut self, operand: Option<&Object>) {
        let shown = self.used.bytes.entry(self.font.clone()).or_default();
        match operand {
            Some(Object::String(string)) => shown.extend(string),
            Some(Object::Array(array)) => {
                shown.extend(array.iter().filter_map(Object::string).flatten());
            }
            Some(_) | None => {}
        }
    }

    fn name(
        &mut self,
        category: &'static str,
        operand: Option<&Object>,
    ) -> Result<(), DocumentError> {
        let Some(name) = operand.and_then(Object::name) else { return Ok(()) };
        if self.used.has(category, name) {
            return Ok(());
        }
        let Some(object) = self.file.entry(self.resources, category, name)? else { return Ok(()) };
        self.used.names.insert((category, name.to_vec()));
        if matches!(category, "XObject" | "Pattern" | "Font") {
            return self.inside(&object);
        }
        Ok(())
    }

    /// What is drawn and has no resources of its own uses those of what draws it.
    fn inside(&mut self, object: &Object) -> Result<(), DocumentError> {
        let object = self.file.follow(object)?;
        let Some(dict) = object.dict().filter(|dict| dict.get("Resources").is_none()) else {
            return Ok(());
        };
        if self.depth >= DEPTH {
            return Err(damaged("forms are too deep in each other"));
        }
        if let Some(stream) = object.stream() {
            if dict.is("Subtype", "Form") || dict.get("PatternType").is_some() {
                let content = self.file.decode(stream)?;
                self.used.look(self.file, &content, self.resources, self.depth + 1)?;
            }
        } else if dict.is("Subtype", "Type3") {
            for procedure in self.file.dict(dict, "CharProcs")?.0.values() {
                if let Some(stream) = self.file.follow(procedure)?.stream() {
                    let content = self.file.decode(stream)?;
                    self.used.look(self.file, &content, self.resources, self.depth + 1)?;
                }
            }
        }
        Ok(())
    }
}
