//! The pages of a PDF (ISO 32000-1, 7.7.3): a tree whose numbers must add up.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::file::{File, damaged};
use super::object::{Dict, Object, numbers};
use crate::{DocumentError, Size};

/// How deep the tree may be.
const DEPTH: usize = 512;
/// What a page takes from the nodes above it.
pub(super) const INHERITED: [&str; 4] = ["Resources", "MediaBox", "CropBox", "Rotate"];

/// Where a page is, and what it inherits.
pub(super) struct Leaf {
    pub(super) id: u32,
    inherited: Rc<Dict>,
}

/// A node that is being walked.
struct Node {
    kids: std::vec::IntoIter<Object>,
    /// How many pages it says that it has.
    said: usize,
    /// How many there were before it.
    before: usize,
    inherited: Rc<Dict>,
}

/// All pages in order.
pub(super) fn walk(file: &File<'_>) -> Result<Vec<Leaf>, DocumentError> {
    let catalog = file.dict(&file.trailer, "Root")?;
    let root = catalog.get("Pages").and_then(Object::reference);
    let root = root.ok_or_else(|| damaged("it has no page tree"))?;
    let mut seen = BTreeSet::from([root]);
    let dict = dict(file, root)?;
    let mut leaves = vec![];
    let mut open = vec![node(file, &dict, 0, &Rc::default())?];
    while let Some(last) = open.last_mut() {
        let Some(kid) = last.kids.next() else {
            if leaves.len() - last.before != last.said {
                return Err(damaged("its page tree does not have as many pages as it says"));
            }
            open.pop();
            continue;
        };
        let id = kid.reference().ok_or_else(|| damaged("its page tree is none"))?;
        if !seen.insert(id) {
            return Err(damaged("its page tree has a node twice"));
        }
        let inherited = Rc::clone(&last.inherited);
        let dict = self::dict(file, id)?;
        if is_leaf(&dict)? {
            leaves.push(Leaf { id, inherited });
            file.limits.check_pages(u32::try_from(leaves.len()).unwrap_or(u32::MAX))?;
        } else if open.len() < DEPTH {
            open.push(node(file, &dict, leaves.len(), &inherited)?);
        } else {
            return Err(damaged("its page tree is too deep"));
        }
    }
    if leaves.is_empty() { Err(damaged("it has no page")) } else { Ok(leaves) }
}

fn dict(file: &File<'_>, id: u32) -> Result<Dict, DocumentError> {
    let Object::Dict(dict) = file.object(id)? else {
        return Err(damaged(format!("object {id} of its page tree is missing")));
    };
    Ok(dict)
}

fn is_leaf(dict: &Dict) -> Result<bool, DocumentError> {
    let leaf = dict.get("Kids").is_none();
    if dict.is("Type", if leaf { "Page" } else { "Pages" }) || dict.get("Type").is_none() {
        return Ok(leaf);
    }
    Err(damaged("its page tree has something that is neither node nor page"))
}

fn node(
    file: &File<'_>,
    dict: &Dict,
    before: usize,
    above: &Rc<Dict>,
) -> Result<Node, DocumentError> {
    let kids = file.get(dict, "Kids")?.map(std::borrow::Cow::into_owned);
    let Some(Object::Array(kids)) = kids else { return Err(damaged("its page tree is none")) };
    let said = file.get(dict, "Count")?.and_then(|said| said.count());
    let said = said.ok_or_else(|| damaged("its page tree does not say how many pages it has"))?;
    let mut inherited = Rc::clone(above);
    for key in INHERITED {
        if let Some(value) = dict.get(key) {
            Rc::make_mut(&mut inherited).set(key, value.clone());
        }
    }
    Ok(Node { kids: kids.into_iter(), said, before, inherited })
}

impl Leaf {
    /// The page's dictionary with what it inherits.
    pub(super) fn dict(&self, file: &File<'_>) -> Result<Dict, DocumentError> {
        let mut page = dict(file, self.id)?;
        for (key, value) in &self.inherited.0 {
            page.0.entry(key.clone()).or_insert_with(|| value.clone());
        }
        Ok(page)
    }
}

/// How a page is turned to be read, in degrees clockwise: 0, 90, 180 or 270.
pub(super) fn rotation(file: &File<'_>, page: &Dict) -> Result<i64, DocumentError> {
    let said = file.get(page, "Rotate")?.and_then(|said| said.integer()).unwrap_or(0);
    Ok(said.rem_euclid(360) / 90 * 90)
}

/// The size of a page as it is seen: its crop box within its media box, turned.
pub(super) fn size(file: &File<'_>, page: &Dict) -> Result<Option<Size>, DocumentError> {
    let Some(media) = rectangle(file, page, "MediaBox")? else { return Ok(None) };
    let crop = rectangle(file, page, "CropBox")?.unwrap_or(media);
    let side = |low: usize| media[low + 2].min(crop[low + 2]) - media[low].max(crop[low]);
    let unit = file.number(page, "UserUnit")?.filter(|unit| *unit > 0.0).unwrap_or(1.0);
    let (width, height) = (side(0) * unit, side(1) * unit);
    let fits = |side: f64| side.is_finite() && side > 0.0;
    let turned = matches!(rotation(file, page)?, 90 | 270);
    let (width, height) = if turned { (height, width) } else { (width, height) };
    Ok((fits(width) && fits(height)).then_some(Size { width, height }))
}

/// Left, bottom, right, top.
fn rectangle(file: &File<'_>, page: &Dict, key: &str) -> Result<Option<[f64; 4]>, DocumentError> {
    let array = file.array(page, key)?;
    let corners = array.as_deref().and_then(numbers::<4>);
    Ok(corners.map(|[a, b, c, d]| [a.min(c), b.min(d), a.max(c), b.max(d)]))
}
