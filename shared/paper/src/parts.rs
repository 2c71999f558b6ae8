//! What the things on the pages are to one who cannot see them: headings, paragraphs, tables.

use std::num::NonZeroU16;

use krilla::tagging::{Identifier, TableHeaderScope, Tag, TagGroup, TagKind, TagTree};

/// A part of the document, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part(usize);

/// What a part is (ISO 32000-1, 14.8.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Role {
    /// A heading and its level, 1 or 2.
    Heading(u16),
    Paragraph,
    Table,
    TableHead,
    TableBody,
    Row,
    /// The name of a column.
    HeadCell,
    /// The name of a row.
    NameCell,
    Cell,
    /// A drawing, and what it shows in words.
    Figure(String),
}

#[derive(Debug)]
struct Entry {
    role: Role,
    text: String,
    parts: Vec<Part>,
    marks: Vec<Identifier>,
}

/// All parts of a document in reading order.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    entries: Vec<Entry>,
    top: Vec<Part>,
}

impl Parts {
    /// A part that stands in no other.
    pub(crate) fn add(&mut self, role: Role) -> Part {
        let part = self.push(role, String::new());
        self.top.push(part);
        part
    }

    /// A heading with its words.
    pub(crate) fn add_heading(&mut self, level: u16, text: &str) -> Part {
        let part = self.push(Role::Heading(level), text.to_owned());
        self.top.push(part);
        part
    }

    /// A part of another.
    pub(crate) fn add_to(&mut self, whole: Part, role: Role) -> Part {
        let part = self.push(role, String::new());
        self.entries[whole.0].parts.push(part);
        part
    }

    fn push(&mut self, role: Role, text: String) -> Part {
        self.entries.push(Entry { role, text, parts: Vec::new(), marks: Vec::new() });
        Part(self.entries.len() - 1)
    }

    /// Says that something on a page belongs to a part.
    pub(crate) fn mark(&mut self, part: Part, identifier: Identifier) {
        self.entries[part.0].marks.push(identifier);
    }

    /// The tree for the file.
    pub(crate) fn tree(&self) -> TagTree {
        let mut tree = TagTree::new();
        for part in &self.top {
            tree.push(self.group(*part));
        }
        tree
    }

    /// At most four deep: table, body, row, cell.
    fn group(&self, part: Part) -> TagGroup {
        let entry = &self.entries[part.0];
        let mut group = TagGroup::new(entry.tag());
        for mark in &entry.marks {
            group.push(*mark);
        }
        for part in &entry.parts {
            group.push(self.group(*part));
        }
        group
    }
}

impl Entry {
    fn tag(&self) -> TagKind {
        match &self.role {
            Role::Heading(level) => {
                let level = NonZeroU16::new(*level).unwrap_or(NonZeroU16::MIN);
                Tag::Hn(level, Some(self.text.clone())).into()
            }
            Role::Paragraph => Tag::P.into(),
            Role::Table => Tag::Table.into(),
            Role::TableHead => Tag::THead.into(),
            Role::TableBody => Tag::TBody.into(),
            Role::Row => Tag::TR.into(),
            Role::HeadCell => Tag::TH(TableHeaderScope::Column).into(),
            Role::NameCell => Tag::TH(TableHeaderScope::Row).into(),
            Role::Cell => Tag::TD.into(),
            Role::Figure(words) => Tag::Figure(Some(words.clone())).into(),
        }
    }
}
