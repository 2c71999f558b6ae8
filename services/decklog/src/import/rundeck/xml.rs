//! The XML form (job-v20), put into the shape of the YAML form.

use roxmltree::Node;

use crate::import::tree::{Part, Tree};
use crate::import::xml::{self, Lines};

/// The jobs of a file.
pub(super) fn jobs(source: &str) -> Result<Vec<Tree>, (usize, String)> {
    let document = xml::parse(source)?;
    let lines = Lines::of(source);
    let root = document.root_element();
    if root.tag_name().name() != "joblist" {
        let text = format!("<{}> is no list of Rundeck's jobs (<joblist>)", root.tag_name().name());
        return Err((lines.of_node(root), text));
    }
    let jobs = xml::children(root).filter(|node| node.tag_name().name() == "job");
    Ok(jobs.map(|node| job(node, &lines)).collect())
}

fn job(node: Node<'_, '_>, lines: &Lines) -> Tree {
    let mut entries = Vec::new();
    for part in xml::children(node) {
        match part.tag_name().name() {
            "context" => entries.extend(xml::children(part).map(|node| entry(node, lines))),
            "logging" => entries.extend(logging(part, lines)),
            "dispatch" => {}
            _ => entries.push(entry(part, lines)),
        }
    }
    put_dispatch(node, &mut entries, lines);
    Tree { line: lines.of_node(node), part: Part::Map(entries) }
}

fn entry(node: Node<'_, '_>, lines: &Lines) -> (String, Tree) {
    let name = node.tag_name().name().to_owned();
    let line = lines.of_node(node);
    let tree = match name.as_str() {
        "sequence" => sequence(node, lines),
        "options" => list(node, option, lines),
        "schedule" => schedule(node, lines),
        "retry" if node.has_attribute("delay") => {
            let mut entries = attributes(node, lines);
            entries.push(("retry".to_owned(), Tree::text_of(line, xml::text(node))));
            Tree { line, part: Part::Map(entries) }
        }
        _ => any(node, lines),
    };
    (name, tree)
}

/// An element as it is: its text, or its attributes and elements by their names.
fn any(node: Node<'_, '_>, lines: &Lines) -> Tree {
    let line = lines.of_node(node);
    let mut entries = attributes(node, lines);
    let named = |child: Node<'_, '_>| (child.tag_name().name().to_owned(), any(child, lines));
    entries.extend(xml::children(node).map(named));
    if entries.is_empty() {
        return Tree::text_of(line, xml::text(node));
    }
    Tree { line, part: Part::Map(entries) }
}

fn attributes(node: Node<'_, '_>, lines: &Lines) -> Vec<(String, Tree)> {
    let one = |attribute: roxmltree::Attribute<'_, '_>| {
        let line = lines.at(attribute.range().start);
        (attribute.name().to_owned(), Tree::text_of(line, attribute.value()))
    };
    node.attributes().map(one).collect()
}

fn list(node: Node<'_, '_>, one: fn(Node<'_, '_>, &Lines) -> Tree, lines: &Lines) -> Tree {
    let parts = xml::children(node).map(|child| one(child, lines)).collect();
    Tree { line: lines.of_node(node), part: Part::List(parts) }
}

fn sequence(node: Node<'_, '_>, lines: &Lines) -> Tree {
    let mut entries = attributes(node, lines);
    entries.push(("commands".to_owned(), list(node, command, lines)));
    Tree { line: lines.of_node(node), part: Part::Map(entries) }
}

fn command(node: Node<'_, '_>, lines: &Lines) -> Tree {
    let renamed = |name: &str| match name {
        "scriptargs" => "args".to_owned(),
        "scriptinterpreter" => "scriptInterpreter".to_owned(),
        "step-plugin" | "node-step-plugin" => "type".to_owned(),
        other => other.to_owned(),
    };
    let one = |child: Node<'_, '_>| {
        let name = child.tag_name().name();
        let tree = match name {
            "jobref" => jobref(child, lines),
            "scriptinterpreter" | "script" => Tree::text_of(lines.of_node(child), raw(child)),
            _ => any(child, lines),
        };
        (renamed(name), tree)
    };
    let entries = xml::children(node).map(one).collect();
    Tree { line: lines.of_node(node), part: Part::Map(entries) }
}

/// A script keeps its blanks, but for an empty first line.
fn raw(node: Node<'_, '_>) -> String {
    let texts = node.descendants().filter(Node::is_text).filter_map(|node| node.text());
    let text: String = texts.collect();
    text.strip_prefix('\n').unwrap_or(&text).to_owned()
}

fn jobref(node: Node<'_, '_>, lines: &Lines) -> Tree {
    let mut entries = attributes(node, lines);
    for child in xml::children(node) {
        let name = child.tag_name().name();
        match (name, child.attribute("line")) {
            ("arg", Some(arguments)) => {
                entries.push(("args".to_owned(), Tree::text_of(lines.of_node(child), arguments)));
            }
            _ => entries.push((name.to_owned(), any(child, lines))),
        }
    }
    Tree { line: lines.of_node(node), part: Part::Map(entries) }
}

fn option(node: Node<'_, '_>, lines: &Lines) -> Tree {
    let mut entries = Vec::new();
    for (name, tree) in attributes(node, lines) {
        let text = tree.text().unwrap_or_default();
        match name.as_str() {
            "values" => {
                let values = text.split(',').map(|value| Tree::text_of(tree.line, value.trim()));
                let part = Part::List(values.collect());
                entries.push((name, Tree { line: tree.line, part }));
            }
            "enforcedvalues" => entries.push(("enforced".to_owned(), tree)),
            _ => entries.push((name, tree)),
        }
    }
    for child in xml::children(node) {
        entries.push((child.tag_name().name().to_owned(), any(child, lines)));
    }
    Tree { line: lines.of_node(node), part: Part::Map(entries) }
}

fn schedule(node: Node<'_, '_>, lines: &Lines) -> Tree {
    let line = lines.of_node(node);
    let mut entries = attributes(node, lines);
    for child in xml::children(node) {
        let name = child.tag_name().name();
        let attribute = |name: &str| child.attribute(name).map(|text| Tree::text_of(line, text));
        match name {
            "month" => {
                entries.extend(attribute("month").map(|tree| ("month".to_owned(), tree)));
                if let Some(day) = child.attribute("day") {
                    let part = Part::Map(vec![("day".to_owned(), Tree::text_of(line, day))]);
                    entries.push(("dayofmonth".to_owned(), Tree { line, part }));
                }
            }
            "year" => entries.extend(attribute("year").map(|tree| ("year".to_owned(), tree))),
            _ => entries.push((name.to_owned(), any(child, lines))),
        }
    }
    Tree { line, part: Part::Map(entries) }
}

fn logging(node: Node<'_, '_>, lines: &Lines) -> Vec<(String, Tree)> {
    let renamed = |name: &str| match name {
        "limit" => "loglimit",
        "limitAction" => "loglimitAction",
        _ => "loglimitStatus",
    };
    attributes(node, lines)
        .into_iter()
        .map(|(name, tree)| (renamed(&name).to_owned(), tree))
        .collect()
}

/// Where it runs on several nodes at once, that stands beside the filter, not in it.
fn put_dispatch(job: Node<'_, '_>, entries: &mut [(String, Tree)], lines: &Lines) {
    let Some(dispatch) = xml::child(job, "dispatch") else { return };
    for (name, tree) in entries {
        if let ("nodefilters", Part::Map(parts)) = (name.as_str(), &mut tree.part) {
            parts.push(("dispatch".to_owned(), any(dispatch, lines)));
        }
    }
}
