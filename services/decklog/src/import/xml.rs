//! XML whose elements know their lines.

use roxmltree::{Document, Node, ParsingOptions};

/// Where the lines of a text begin.
#[derive(Debug)]
pub(super) struct Lines(Vec<usize>);

impl Lines {
    pub(super) fn of(text: &str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self(std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect())
    }

    /// The line, from 1, of a byte.
    pub(super) fn at(&self, offset: usize) -> usize {
        self.0.partition_point(|begin| *begin <= offset)
    }

    /// The line an element begins at.
    pub(super) fn of_node(&self, node: Node<'_, '_>) -> usize {
        self.at(node.range().start)
    }

    /// The line an attribute stands at; that of its element where it is not there.
    pub(super) fn of_attribute(&self, node: Node<'_, '_>, name: &str) -> usize {
        let attribute = node.attribute_node(name);
        self.at(attribute.map_or(node.range().start, |attribute| attribute.range().start))
    }
}

/// Reads XML; an error has its line.
pub(super) fn parse(text: &str) -> Result<Document<'_>, (usize, String)> {
    // Exports name a DTD that nobody has; the reader follows none and lets no entity grow.
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    Document::parse_with_options(text, options)
        .map_err(|error| (usize::try_from(error.pos().row).unwrap_or(0), error.to_string()))
}

/// The elements in an element.
pub(super) fn children<'a, 'i>(node: Node<'a, 'i>) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(Node::is_element)
}

/// The first element with this name, whatever its namespace.
pub(super) fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    children(node).find(|child| child.tag_name().name() == name)
}

/// All text in an element, without blanks around it.
pub(super) fn text(node: Node<'_, '_>) -> String {
    let texts = node.descendants().filter(Node::is_text).filter_map(|node| node.text());
    texts.collect::<String>().trim().to_owned()
}

/// The text of the first element with this name, if it is not empty.
pub(super) fn child_text(node: Node<'_, '_>, name: &str) -> Option<String> {
    child(node, name).map(text).filter(|text| !text.is_empty())
}
