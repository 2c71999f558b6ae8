//! What annotations and form fields show on paper (ISO 32000-1, 12.5).

use super::file::{File, unsupported};
use super::object::{Dict, Object, numbers};
use crate::DocumentError;

/// Flags of an annotation (table 165).
const HIDDEN: i64 = 2;
const PRINT: i64 = 4;
/// Most annotations of a page.
const MOST: usize = 100_000;
/// Kinds that show nothing on paper unless they have an appearance.
const SILENT: [&[u8]; 10] = [
    b"Link",
    b"Popup",
    b"Text",
    b"FileAttachment",
    b"Sound",
    b"Movie",
    b"Screen",
    b"3D",
    b"RichMedia",
    b"TrapNet",
];

/// An annotation that is printed.
pub(super) struct Printed {
    pub(super) annotation: Dict,
    /// Its appearance: a form, or a reference to one.
    pub(super) appearance: Option<Object>,
}

/// The annotations of a page that are printed.
pub(super) fn printed(file: &File<'_>, page: &Dict) -> Result<Vec<Printed>, DocumentError> {
    let Some(all) = file.get(page, "Annots")? else { return Ok(vec![]) };
    let mut printed = vec![];
    for object in all.array().unwrap_or_default().iter().take(MOST) {
        let object = file.follow(object)?;
        let Some(annotation) = object.dict() else { continue };
        let flags = file.get(annotation, "F")?.and_then(|flags| flags.integer()).unwrap_or(0);
        if flags & HIDDEN == 0 && flags & PRINT != 0 {
            let appearance = appearance(file, annotation)?;
            printed.push(Printed { annotation: annotation.clone(), appearance });
        }
    }
    Ok(printed)
}

/// Its normal appearance, in the state that it is in.
fn appearance(file: &File<'_>, annotation: &Dict) -> Result<Option<Object>, DocumentError> {
    let all = file.dict(annotation, "AP")?;
    let Some(normal) = all.get("N") else { return Ok(None) };
    let Object::Dict(states) = &*file.follow(normal)? else { return Ok(Some(normal.clone())) };
    let state = file.get(annotation, "AS")?;
    let state = state.as_deref().and_then(Object::name);
    Ok(state.and_then(|state| states.0.get(state)).cloned())
}

impl Printed {
    /// Left, bottom, right and top.
    pub(super) fn rectangle(&self, file: &File<'_>) -> Result<Option<[f64; 4]>, DocumentError> {
        let array = file.array(&self.annotation, "Rect")?;
        Ok(array.as_deref().and_then(numbers::<4>).map(ordered))
    }

    /// An annotation that every program draws as it likes cannot be taken to another document.
    pub(super) fn check(&self, file: &File<'_>) -> Result<(), DocumentError> {
        if self.appearance.is_some() {
            return Ok(());
        }
        let kind = file.get(&self.annotation, "Subtype")?;
        let kind = kind.as_deref().and_then(Object::name).unwrap_or_default();
        if kind == b"Widget" {
            return self.check_field(file);
        }
        if SILENT.contains(&kind) {
            return Ok(());
        }
        Err(unsupported("an annotation has no appearance of its own; print it to a new PDF first"))
    }

    fn check_field(&self, file: &File<'_>) -> Result<(), DocumentError> {
        let above = file.dict(&self.annotation, "Parent")?;
        for dict in [&self.annotation, &above] {
            let value = file.get(dict, "V")?;
            let empty = match value.as_deref() {
                None => true,
                Some(Object::String(text)) => text.is_empty(),
                // A signature's value is a dictionary, and the state of a button that shows nothing a name.
                Some(value) => value.dict().is_some() || value.name().is_some(),
            };
            if !empty {
                return Err(unsupported(
                    "a form field has a value and no appearance; print it to a new PDF first",
                ));
            }
        }
        Ok(())
    }
}

/// The matrix that puts a form (its box, its own matrix) into a rectangle (12.5.5, algorithm 8.1).
pub(super) fn placed(bounds: [f64; 4], matrix: [f64; 6], rectangle: [f64; 4]) -> [f64; 6] {
    let [left, bottom, right, top] = bounds;
    let corner = |(x, y): (f64, f64)| {
        let [a, b, c, d, e, f] = matrix;
        [a * x + c * y + e, b * x + d * y + f]
    };
    let corners = [(left, bottom), (left, top), (right, bottom), (right, top)].map(corner);
    let low = |n: usize| corners.iter().fold(f64::INFINITY, |low, corner| low.min(corner[n]));
    let high =
        |n: usize| corners.iter().fold(f64::NEG_INFINITY, |high, corner| high.max(corner[n]));
    let scale = |n: usize| {
        let side = high(n) - low(n);
        if side > 0.0 { (rectangle[n + 2] - rectangle[n]) / side } else { 1.0 }
    };
    let (x, y) = (scale(0), scale(1));
    [x, 0.0, 0.0, y, rectangle[0] - low(0) * x, rectangle[1] - low(1) * y]
}

fn ordered([a, b, c, d]: [f64; 4]) -> [f64; 4] {
    [a.min(c), b.min(d), a.max(c), b.max(d)]
}
