//! A document of some pages: what their content uses is copied, and nothing else.
//!
//! Parts go to different people, so every kind of object is copied by a list of what belongs to it. What links pages to the
//! document (parents, structure, destinations, metadata) is on none of the lists, and a resource that a page has but does
//! not use is left out: many programs give all pages one dictionary with the pictures and fonts of all.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;

use super::annots::{Printed, printed};
use super::belongs::{
    ANNOTATION, CATEGORIES, DESCRIPTOR, FONT, FORM, IMAGE, LAYER, NOT_KEYS, NOT_TYPES, PAGE, STATE,
    STORED, TILING,
};
use super::file::{File, unsupported};
use super::object::{Dict, Object, Stream};
use super::read::contents;
use super::tree::Leaf;
use super::used::Used;
use super::write::Writer;
use crate::DocumentError;

/// As what an object is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// Values: numbers, colour spaces, functions, font programs…
    Plain,
    /// The content of a page.
    Content,
    /// What a font says of itself.
    Descriptor,
    /// An entry of a category of resources.
    Resource(&'static str),
}

/// Copies objects into a new file.
struct Copier<'f, 'a> {
    file: &'f File<'a>,
    writer: Writer,
    /// All pages; none is copied because something refers to it.
    pages: BTreeSet<u32>,
    /// New numbers.
    numbers: BTreeMap<(u32, Kind), u32>,
    waiting: VecDeque<(u32, Kind, u32)>,
    /// Fonts are copied when it is known what is shown in them.
    fonts: VecDeque<(u32, Kind, u32)>,
    /// Bytes shown in each font, by its old number.
    shown: BTreeMap<u32, BTreeSet<u8>>,
    copied_fonts: BTreeSet<u32>,
    /// Layers that were copied: old number and new one.
    layers: BTreeMap<u32, u32>,
}

/// A document of these pages out of all.
pub(super) fn part(
    file: &File<'_>,
    all: &[Leaf],
    pages: Range<usize>,
) -> Result<Vec<u8>, DocumentError> {
    let catalog = file.dict(&file.trailer, "Root")?;
    let mut copier = Copier {
        file,
        writer: Writer::new(&version(file, &catalog)?),
        pages: all.iter().map(|leaf| leaf.id).collect(),
        numbers: BTreeMap::new(),
        waiting: VecDeque::new(),
        fonts: VecDeque::new(),
        shown: BTreeMap::new(),
        copied_fonts: BTreeSet::new(),
        layers: BTreeMap::new(),
    };
    let (root, tree) = (copier.writer.reserve(), copier.writer.reserve());
    let mut kids = vec![];
    for leaf in all.get(pages).unwrap_or_default() {
        let id = copier.writer.reserve();
        let mut page = copier.page(&leaf.dict(file)?)?;
        page.set("Parent", Object::Reference(tree));
        copier.writer.object(id, &Object::Dict(page), &[]);
        kids.push(Object::Reference(id));
        copier.copy_waiting()?;
    }
    copier.copy_fonts()?;
    copier.end(root, tree, kids, &catalog)
}

/// The version of the file or of its catalog, whichever is newer.
fn version(file: &File<'_>, catalog: &Dict) -> Result<String, DocumentError> {
    let valid = |version: &[u8]| match version {
        [major @ b'1'..=b'2', b'.', minor @ b'0'..=b'9', ..] => {
            Some(format!("{}.{}", char::from(*major), char::from(*minor)))
        }
        _ => None,
    };
    let header = file.bytes.windows(8).find(|window| window.starts_with(b"%PDF-"));
    let header = header.and_then(|header| valid(&header[5..]));
    let newer = file.get(catalog, "Version")?;
    let newer = newer.as_deref().and_then(Object::name).and_then(valid);
    Ok(header.max(newer).unwrap_or_else(|| "1.7".to_owned()))
}

impl Copier<'_, '_> {
    fn page(&mut self, old: &Dict) -> Result<Dict, DocumentError> {
        let mut page = self.kept(old, &PAGE)?;
        page.set("Type", Object::Name(b"Page".to_vec()));
        let resources = self.file.dict(old, "Resources")?;
        let used = Used::by(self.file, &contents(self.file, old)?, &resources)?;
        page.set("Resources", Object::Dict(self.resources(&resources, &used)?));
        if let Some(content) = self.content(old)? {
            page.set("Contents", content);
        }
        let mut annotations = vec![];
        for printed in printed(self.file, old)? {
            printed.check(self.file)?;
            annotations.push(self.annotation(&printed)?);
        }
        if !annotations.is_empty() {
            page.set("Annots", Object::Array(annotations));
        }
        Ok(page)
    }

    fn content(&mut self, page: &Dict) -> Result<Option<Object>, DocumentError> {
        let Some(object) = page.get("Contents") else { return Ok(None) };
        let found = self.file.follow(object)?;
        if found.stream().is_some() {
            return self.copy(object, Kind::Content).map(Some);
        }
        let streams = found.array().unwrap_or_default().iter();
        let copied = streams.map(|stream| self.copy(stream, Kind::Content));
        Ok(Some(Object::Array(copied.collect::<Result<_, _>>()?)))
    }

    /// An annotation as the picture that it is on paper.
    fn annotation(&mut self, printed: &Printed) -> Result<Object, DocumentError> {
        let mut annotation = self.kept(&printed.annotation, &ANNOTATION)?;
        annotation.set("Type", Object::Name(b"Annot".to_vec()));
        if annotation.is("Subtype", "Widget") {
            // Without its form a field is none.
            annotation.set("Subtype", Object::Name(b"Stamp".to_vec()));
        }
        if let Some(appearance) = &printed.appearance {
            let mut appearances = Dict::default();
            appearances.set("N", self.copy(appearance, Kind::Resource("XObject"))?);
            annotation.set("AP", Object::Dict(appearances));
        }
        let id = self.writer.reserve();
        self.writer.object(id, &Object::Dict(annotation), &[]);
        Ok(Object::Reference(id))
    }

    /// Only the resources that are used.
    fn resources(&mut self, old: &Dict, used: &Used) -> Result<Dict, DocumentError> {
        let mut resources = Dict::default();
        for category in CATEGORIES {
            let mut kept = Dict::default();
            for (name, object) in self.file.dict(old, category)?.0 {
                if !used.has(category, &name) {
                    continue;
                }
                if let (Some(id), "Font") = (object.reference(), category) {
                    self.show(id, used.shown_in(&name))?;
                }
                let copied = self.copy(&object, Kind::Resource(category))?;
                kept.0.insert(name, copied);
            }
            if kept != Dict::default() {
                resources.set(category, Object::Dict(kept));
            }
        }
        Ok(resources)
    }

    fn show(&mut self, font: u32, bytes: BTreeSet<u8>) -> Result<(), DocumentError> {
        let shown = self.shown.entry(font).or_default();
        if self.copied_fonts.contains(&font) && !bytes.is_subset(shown) {
            return Err(unsupported("a font is drawn with a font that is drawn with it"));
        }
        shown.extend(bytes);
        Ok(())
    }

    /// These keys of a dictionary.
    fn kept(&mut self, old: &Dict, keys: &[&str]) -> Result<Dict, DocumentError> {
        let mut kept = Dict::default();
        for key in keys {
            if let Some(value) = old.get(key) {
                kept.set(key, self.copy(value, Kind::Plain)?);
            }
        }
        Ok(kept)
    }

    /// A value; what it refers to is copied later.
    fn copy(&mut self, object: &Object, kind: Kind) -> Result<Object, DocumentError> {
        let Some(old) = object.reference() else { return self.value(object, kind, None) };
        if self.pages.contains(&old) {
            return Ok(Object::Null);
        }
        if let Some(known) = self.numbers.get(&(old, kind)) {
            return Ok(Object::Reference(*known));
        }
        let new = self.writer.reserve();
        self.numbers.insert((old, kind), new);
        if kind == Kind::Resource("Font") {
            self.fonts.push_back((old, kind, new));
        } else {
            self.waiting.push_back((old, kind, new));
        }
        Ok(Object::Reference(new))
    }

    fn copy_waiting(&mut self) -> Result<(), DocumentError> {
        while let Some((old, kind, new)) = self.waiting.pop_front() {
            let object = self.file.object(old)?;
            if object.dict().is_some_and(|dict| dict.is("Type", "OCG")) {
                self.layers.insert(old, new);
            }
            let copied = self.value(&object, kind, Some(old))?;
            if let Object::Stream(stream) = &copied {
                self.file.spend(stream.data.len())?;
            }
            self.writer.object(new, &copied, self.file.bytes);
        }
        Ok(())
    }

    fn copy_fonts(&mut self) -> Result<(), DocumentError> {
        while let Some((old, kind, new)) = self.fonts.pop_front() {
            let object = self.file.object(old)?;
            self.copied_fonts.insert(old);
            let copied = self.value(&object, kind, Some(old))?;
            self.writer.object(new, &copied, self.file.bytes);
            self.copy_waiting()?;
        }
        Ok(())
    }

    fn value(
        &mut self,
        object: &Object,
        kind: Kind,
        id: Option<u32>,
    ) -> Result<Object, DocumentError> {
        match (kind, object) {
            (Kind::Content, Object::Stream(stream)) => self.stream(stream, &[]),
            (Kind::Content, _) => Ok(Object::Null),
            (Kind::Descriptor, Object::Dict(dict)) => {
                self.kept(dict, &DESCRIPTOR).map(Object::Dict)
            }
            (Kind::Resource("XObject"), Object::Stream(stream)) => self.drawn(stream),
            (Kind::Resource("Pattern"), Object::Stream(stream)) => self.drawn(stream),
            (Kind::Resource("XObject"), _) => Ok(Object::Null),
            (Kind::Resource("Font"), Object::Dict(font)) => self.font(font, id),
            (Kind::Resource("ExtGState"), Object::Dict(state)) => {
                self.kept(state, &STATE).map(Object::Dict)
            }
            (Kind::Resource("Properties"), Object::Dict(dict)) => self.properties(dict),
            (Kind::Plain | Kind::Descriptor | Kind::Resource(_), _) => self.plain(object),
        }
    }

    fn plain(&mut self, object: &Object) -> Result<Object, DocumentError> {
        match object {
            Object::Array(array) => {
                let copied = array.iter().map(|value| self.copy(value, Kind::Plain));
                Ok(Object::Array(copied.collect::<Result<_, _>>()?))
            }
            Object::Dict(dict) => self.plain_dict(dict),
            Object::Stream(stream) if is_drawn(&stream.dict) => self.drawn(stream),
            Object::Stream(stream) => {
                let dict = self.plain_dict(&stream.dict)?;
                dict.dict().map_or(Ok(Object::Null), |dict| self.with_data(dict.clone(), stream))
            }
            Object::Null
            | Object::Bool(_)
            | Object::Integer(_)
            | Object::Real(_)
            | Object::String(_)
            | Object::Name(_)
            | Object::Reference(_) => Ok(object.clone()),
        }
    }

    fn plain_dict(&mut self, dict: &Dict) -> Result<Object, DocumentError> {
        match self.file.get(dict, "Type")?.as_deref().and_then(Object::name) {
            Some(kind) if NOT_TYPES.contains(&kind) => return Ok(Object::Null),
            Some(b"OCG") => return self.kept(dict, &LAYER).map(Object::Dict),
            Some(b"Font") => return self.font(dict, None),
            Some(_) | None => {}
        }
        let mut copied = Dict::default();
        for (key, value) in &dict.0 {
            if !NOT_KEYS.contains(&key.as_slice()) {
                copied.0.insert(key.clone(), self.copy(value, Kind::Plain)?);
            }
        }
        Ok(Object::Dict(copied))
    }

    /// A stream with these keys and its bytes as they are stored.
    fn stream(&mut self, old: &Stream, keys: &[&str]) -> Result<Object, DocumentError> {
        let mut dict = self.kept(&old.dict, keys)?;
        dict.0.extend(self.kept(&old.dict, &STORED)?.0);
        self.with_data(dict, old)
    }

    fn with_data(&mut self, dict: Dict, old: &Stream) -> Result<Object, DocumentError> {
        if old.dict.get("F").is_some() {
            return Err(unsupported("the data of a stream is in another file"));
        }
        Ok(Object::Stream(Box::new(Stream { dict, data: old.data.clone() })))
    }

    /// A form, a picture or a pattern.
    fn drawn(&mut self, stream: &Stream) -> Result<Object, DocumentError> {
        if stream.dict.is("Subtype", "Image") {
            return self.stream(stream, &IMAGE);
        }
        let keys = if stream.dict.is("Subtype", "Form") {
            FORM.as_slice()
        } else if stream.dict.get("PatternType").is_some() {
            TILING.as_slice()
        } else {
            return Ok(Object::Null);
        };
        let mut copied = self.stream(stream, keys)?;
        if let (Some(_), Object::Stream(copied)) = (stream.dict.get("Resources"), &mut copied) {
            let resources = self.file.dict(&stream.dict, "Resources")?;
            let used = Used::by(self.file, &self.file.decode(stream)?, &resources)?;
            copied.dict.set("Resources", Object::Dict(self.resources(&resources, &used)?));
        }
        Ok(copied)
    }

    /// A font; of a font that is drawn (Type 3) only the characters that are shown.
    fn font(&mut self, old: &Dict, id: Option<u32>) -> Result<Object, DocumentError> {
        let mut font = self.kept(old, &FONT)?;
        if let Some(descriptor) = old.get("FontDescriptor") {
            font.set("FontDescriptor", self.copy(descriptor, Kind::Descriptor)?);
        }
        if !old.is("Subtype", "Type3") {
            return Ok(Object::Dict(font));
        }
        font.0.extend(self.kept(old, &["FontMatrix"])?.0);
        let shown = id.and_then(|id| self.shown.get(&id)).cloned();
        let names = shown.map(|shown| self.names(old, &shown)).transpose()?;
        let (mut procedures, mut used) = (Dict::default(), Used::default());
        let resources = self.file.dict(old, "Resources")?;
        for (name, object) in self.file.dict(old, "CharProcs")?.0 {
            if names.as_ref().is_some_and(|names| !names.contains(&name)) {
                continue;
            }
            if let Some(stream) = self.file.follow(&object)?.stream() {
                used.look(self.file, &self.file.decode(stream)?, &resources, 0)?;
            }
            procedures.0.insert(name, self.copy(&object, Kind::Content)?);
        }
        font.set("CharProcs", Object::Dict(procedures));
        if old.get("Resources").is_some() {
            font.set("Resources", Object::Dict(self.resources(&resources, &used)?));
        }
        Ok(Object::Dict(font))
    }

    /// Names of the characters that these bytes are in a font.
    fn names(&self, font: &Dict, shown: &BTreeSet<u8>) -> Result<BTreeSet<Vec<u8>>, DocumentError> {
        let encoding = self.file.dict(font, "Encoding")?;
        let (mut names, mut code) = (BTreeSet::new(), 0_u32);
        for object in self.file.array(&encoding, "Differences")?.unwrap_or_default() {
            if let Some(first) = object.count() {
                code = first;
            } else if let Object::Name(name) = object {
                if u8::try_from(code).is_ok_and(|code| shown.contains(&code)) {
                    names.insert(name);
                }
                code = code.saturating_add(1);
            }
        }
        Ok(names)
    }

    /// A layer, or what marked content says of itself, without what that refers to.
    fn properties(&mut self, dict: &Dict) -> Result<Object, DocumentError> {
        if dict.is("Type", "OCG") || dict.is("Type", "OCMD") {
            return self.plain_dict(dict);
        }
        let mut properties = dict.clone();
        properties.0.retain(|_, value| {
            !matches!(value, Object::Reference(_) | Object::Dict(_) | Object::Array(_))
        });
        Ok(Object::Dict(properties))
    }

    /// Which of the layers that were copied are shown; without that, hidden ones would be.
    fn layers(&mut self, catalog: &Dict) -> Result<Option<Object>, DocumentError> {
        if self.layers.is_empty() {
            return Ok(None);
        }
        let old = self.file.dict(&self.file.dict(catalog, "OCProperties")?, "D")?;
        let mut shown = self.kept(&old, &["BaseState", "Intent"])?;
        for key in ["ON", "OFF"] {
            shown.set(key, self.some_layers(&old, key)?);
        }
        let mut usages = vec![];
        for usage in self.file.array(&old, "AS")?.unwrap_or_default() {
            if let Some(usage) = usage.dict() {
                let mut kept = self.kept(usage, &["Event", "Category"])?;
                kept.set("OCGs", self.some_layers(usage, "OCGs")?);
                usages.push(Object::Dict(kept));
            }
        }
        shown.set("AS", Object::Array(usages));
        let mut layers = Dict::default();
        let all = self.layers.values().copied().map(Object::Reference).collect();
        layers.set("OCGs", Object::Array(all));
        layers.set("D", Object::Dict(shown));
        Ok(Some(Object::Dict(layers)))
    }

    /// Of a list of layers those that were copied.
    fn some_layers(&self, dict: &Dict, key: &str) -> Result<Object, DocumentError> {
        let list = self.file.get(dict, key)?;
        let list = list.as_deref().and_then(Object::array).unwrap_or_default().iter();
        let new = list.filter_map(|old| self.layers.get(&old.reference()?).copied());
        Ok(Object::Array(new.map(Object::Reference).collect()))
    }

    fn end(
        mut self,
        root: u32,
        tree: u32,
        kids: Vec<Object>,
        catalog: &Dict,
    ) -> Result<Vec<u8>, DocumentError> {
        let mut pages = Dict::default();
        pages.set("Type", Object::Name(b"Pages".to_vec()));
        pages.set("Count", Object::Integer(i64::try_from(kids.len()).unwrap_or(i64::MAX)));
        pages.set("Kids", Object::Array(kids));
        self.writer.object(tree, &Object::Dict(pages), &[]);
        let mut new = Dict::default();
        new.set("Type", Object::Name(b"Catalog".to_vec()));
        new.set("Pages", Object::Reference(tree));
        if let Some(layers) = self.layers(catalog)? {
            new.set("OCProperties", layers);
        }
        self.copy_waiting()?;
        self.writer.object(root, &Object::Dict(new), &[]);
        Ok(self.writer.finish(root))
    }
}

fn is_drawn(dict: &Dict) -> bool {
    dict.is("Subtype", "Form") || dict.is("Subtype", "Image") || dict.get("PatternType").is_some()
}
