//! An element with its attributes and their lines.

use roxmltree::Node;

use crate::import::xml::{self, Lines};
use crate::import::{At, Text};

/// An element of a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element<'a> {
    pub(super) node: Node<'a, 'a>,
    pub(super) lines: &'a Lines,
    pub(super) text: &'a Text,
}

impl<'a> Element<'a> {
    pub(super) fn name(self) -> &'a str {
        self.node.tag_name().name()
    }

    /// An attribute that says something.
    pub(super) fn text(self, attribute: &str) -> Option<&'a str> {
        self.node.attribute(attribute).map(str::trim).filter(|text| !text.is_empty())
    }

    /// Whether an attribute says yes.
    pub(super) fn flag(self, attribute: &str) -> bool {
        self.text(attribute).is_some_and(|text| matches!(text, "1" | "Y" | "y" | "YES"))
    }

    pub(super) fn at(self) -> At {
        self.text.at(self.lines.of_node(self.node))
    }

    pub(super) fn at_attribute(self, attribute: &str) -> At {
        self.text.at(self.lines.of_attribute(self.node, attribute))
    }

    /// An attribute as it stands there.
    pub(super) fn source(self, attribute: &str) -> String {
        format!("{attribute}=\"{}\"", self.node.attribute(attribute).unwrap_or_default())
    }

    pub(super) fn children(self) -> impl Iterator<Item = Self> {
        xml::children(self.node).map(move |node| Self { node, ..self })
    }

    /// The elements in it with this name.
    pub(super) fn all(self, name: &'static str) -> impl Iterator<Item = Self> {
        self.children().filter(move |child| child.name() == name)
    }
}
