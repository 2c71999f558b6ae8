//! The text of a page: its content is followed as far as it moves and shows text (ISO 32000-1, 9).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::annots::{Printed, placed, printed};
use super::cmap::utf16;
use super::content::{Operation, Operations};
use super::encodings::Base;
use super::file::{File, damaged};
use super::fonts::Font;
use super::layout::{Glyph, lines};
use super::object::{Dict, Object, Stream, numbers};
use super::tree::rotation;
use crate::{DocumentError, check_text};

/// How deep forms may be in forms.
const FORMS: usize = 12;
/// How many graphics states may be saved.
pub(super) const SAVED: usize = 4096;
pub(super) const TOO_MANY_STATES: &str = "a page saves too many graphics states";
/// How deep marked content may be; what is deeper is not looked at.
const MARKED: usize = 256;
/// What reading a font counts as work at least, in bytes.
const FONT_WORK: usize = 4096;
/// What drawing a form counts as work at least, in bytes.
const FORM_WORK: usize = 1024;
/// Entries of fonts that are kept, about.
const FONTS: usize = 1_000_000;

/// A matrix of six numbers (8.3.3).
type Matrix = [f64; 6];
const UNIT: Matrix = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0];

/// Reads pages of one file and keeps its fonts.
pub(super) struct Reader<'f, 'a> {
    file: &'f File<'a>,
    fonts: BTreeMap<u32, Rc<Font>>,
    weight: usize,
    /// Most bytes of text on a page.
    limit: usize,
}

/// A page that is being read.
struct Page<'r, 'f, 'a> {
    reader: &'r mut Reader<'f, 'a>,
    glyphs: Vec<Glyph>,
    bytes: usize,
    state: State,
    saved: Vec<State>,
    /// Text that stands for what is shown in marked content, until its first character is shown.
    marked: Vec<Option<Instead>>,
}

/// Text that is meant instead of what is shown (14.9.4).
struct Instead {
    text: String,
    told: bool,
}

#[derive(Clone)]
struct State {
    ctm: Matrix,
    font: Option<Rc<Font>>,
    size: f64,
    spacing: f64,
    word_spacing: f64,
    scale: f64,
    leading: f64,
    rise: f64,
    text: Matrix,
    line: Matrix,
}

/// First `a`, then `b`.
fn then(a: &Matrix, b: &Matrix) -> Matrix {
    [
        a[0] * b[0] + a[1] * b[2],
        a[0] * b[1] + a[1] * b[3],
        a[2] * b[0] + a[3] * b[2],
        a[2] * b[1] + a[3] * b[3],
        a[4] * b[0] + a[5] * b[2] + b[4],
        a[4] * b[1] + a[5] * b[3] + b[5],
    ]
}

fn moved(by: (f64, f64), matrix: &Matrix) -> Matrix {
    then(&[1.0, 0.0, 0.0, 1.0, by.0, by.1], matrix)
}

impl<'f, 'a> Reader<'f, 'a> {
    pub(super) fn new(file: &'f File<'a>, limit: usize) -> Self {
        Self { file, fonts: BTreeMap::new(), weight: 0, limit }
    }

    /// The text of a page.
    pub(super) fn page(&mut self, page: &Dict) -> Result<String, DocumentError> {
        let ctm = match rotation(self.file, page)? {
            90 => [0.0, -1.0, 1.0, 0.0, 0.0, 0.0],
            180 => [-1.0, 0.0, 0.0, -1.0, 0.0, 0.0],
            270 => [0.0, 1.0, -1.0, 0.0, 0.0, 0.0],
            _ => UNIT,
        };
        let content = contents(self.file, page)?;
        let resources = self.file.dict(page, "Resources")?;
        let annotations = printed(self.file, page)?;
        let mut page = Page {
            reader: self,
            glyphs: vec![],
            bytes: 0,
            state: State::new(ctm),
            saved: vec![],
            marked: vec![],
        };
        page.run(&content, &resources, 0)?;
        for annotation in annotations {
            page.annotation(&annotation, ctm)?;
        }
        Ok(lines(page.glyphs))
    }

    /// The font of a name; kept by the number of its object.
    fn font(&mut self, resources: &Dict, name: &[u8]) -> Result<Option<Rc<Font>>, DocumentError> {
        let Some(object) = self.file.entry(resources, "Font", name)? else { return Ok(None) };
        if let Some(known) = object.reference().and_then(|id| self.fonts.get(&id)) {
            return Ok(Some(Rc::clone(known)));
        }
        let found = self.file.follow(&object)?;
        let Some(dict) = found.dict() else { return Ok(None) };
        self.file.spend(FONT_WORK)?;
        let font = Rc::new(Font::read(self.file, dict)?);
        if let Some(id) = object.reference() {
            if self.weight > FONTS {
                (self.fonts, self.weight) = (BTreeMap::new(), 0);
            }
            self.weight += font.weight();
            self.fonts.insert(id, Rc::clone(&font));
        }
        Ok(Some(font))
    }
}

/// The content of a page: one stream, or several with space between them (7.8.2).
pub(super) fn contents(file: &File<'_>, page: &Dict) -> Result<Vec<u8>, DocumentError> {
    let Some(found) = file.get(page, "Contents")? else { return Ok(vec![]) };
    if let Some(stream) = found.stream() {
        return file.decode(stream);
    }
    let mut all = vec![];
    for object in found.array().unwrap_or_default() {
        if let Some(stream) = file.follow(object)?.stream() {
            all.extend(file.decode(stream)?);
            all.push(b'\n');
        }
        if all.len() > file.limits.stream {
            let limit = u64::try_from(file.limits.stream).unwrap_or(u64::MAX);
            return Err(DocumentError::TooMuch { what: "bytes in the content of a page", limit });
        }
    }
    Ok(all)
}

impl State {
    fn new(ctm: Matrix) -> Self {
        Self {
            ctm,
            font: None,
            size: 0.0,
            spacing: 0.0,
            word_spacing: 0.0,
            scale: 1.0,
            leading: 0.0,
            rise: 0.0,
            text: UNIT,
            line: UNIT,
        }
    }

    fn next_line(&mut self, by: (f64, f64)) {
        self.line = moved(by, &self.line);
        self.text = self.line;
    }
}

impl Page<'_, '_, '_> {
    fn run(&mut self, content: &[u8], resources: &Dict, depth: usize) -> Result<(), DocumentError> {
        let mut operations = Operations::new(content);
        while let Some(operation) = operations.next().map_err(damaged)? {
            self.operation(&operation, resources, depth)?;
        }
        Ok(())
    }

    fn operation(
        &mut self,
        operation: &Operation<'_>,
        resources: &Dict,
        depth: usize,
    ) -> Result<(), DocumentError> {
        let operands = operation.operands.as_slice();
        match operation.operator {
            b"Do" => return self.form(operands, resources, depth),
            b"Tf" => return self.font(operands, resources),
            b"q" if self.saved.len() >= SAVED => return Err(damaged(TOO_MANY_STATES)),
            b"q" => self.saved.push(self.state.clone()),
            b"BMC" => self.mark(None),
            b"BDC" => {
                let instead = self.instead(operands, resources)?;
                self.mark(instead);
            }
            b"EMC" => {
                self.marked.pop();
            }
            b"Tj" | b"'" | b"\"" | b"TJ" => return self.show(operation.operator, operands),
            operator => self.set(operator, operands),
        }
        Ok(())
    }

    /// Operators that only change the state.
    fn set(&mut self, operator: &[u8], operands: &[Object]) {
        let state = &mut self.state;
        let number = operands.first().and_then(Object::number);
        match (operator, number) {
            (b"Q", _) => *state = self.saved.pop().unwrap_or_else(|| state.clone()),
            (b"BT", _) => (state.text, state.line) = (UNIT, UNIT),
            (b"T*", _) => state.next_line((0.0, -state.leading)),
            (b"Tc", Some(n)) => state.spacing = n,
            (b"Tw", Some(n)) => state.word_spacing = n,
            (b"Tz", Some(n)) => state.scale = n / 100.0,
            (b"TL", Some(n)) => state.leading = n,
            (b"Ts", Some(n)) => state.rise = n,
            _ => self.place(operator, operands),
        }
    }

    fn place(&mut self, operator: &[u8], operands: &[Object]) {
        let state = &mut self.state;
        match (operator, numbers::<6>(operands), numbers::<2>(operands)) {
            (b"cm", Some(matrix), _) => state.ctm = then(&matrix, &state.ctm),
            (b"Tm", Some(matrix), _) => (state.text, state.line) = (matrix, matrix),
            (b"Td", _, Some([x, y])) => state.next_line((x, y)),
            (b"TD", _, Some([x, y])) => {
                state.leading = -y;
                state.next_line((x, y));
            }
            _ => {}
        }
    }

    fn font(&mut self, operands: &[Object], resources: &Dict) -> Result<(), DocumentError> {
        if let [name, size, ..] = operands
            && let (Some(name), Some(size)) = (name.name(), size.number())
        {
            self.state.font = self.reader.font(resources, name)?;
            self.state.size = size;
        }
        Ok(())
    }

    /// A form is content with a place and resources of its own (8.10).
    fn form(
        &mut self,
        operands: &[Object],
        resources: &Dict,
        depth: usize,
    ) -> Result<(), DocumentError> {
        let file = self.reader.file;
        let Some(name) = operands.first().and_then(Object::name) else { return Ok(()) };
        let Some(object) = file.entry(resources, "XObject", name)? else { return Ok(()) };
        let object = file.follow(&object)?;
        let Some(form) = object.stream().filter(|s| s.dict.is("Subtype", "Form")) else {
            return Ok(());
        };
        if depth >= FORMS {
            return Err(damaged("forms are too deep in each other"));
        }
        file.spend(FORM_WORK)?;
        self.draw(form, resources, depth)
    }

    fn draw(&mut self, form: &Stream, above: &Dict, depth: usize) -> Result<(), DocumentError> {
        let file = self.reader.file;
        let resources = match form.dict.get("Resources") {
            Some(_) => Cow::Owned(file.dict(&form.dict, "Resources")?),
            None => Cow::Borrowed(above),
        };
        let matrix = file.array(&form.dict, "Matrix")?;
        let matrix = matrix.as_deref().and_then(numbers::<6>).unwrap_or(UNIT);
        let content = file.decode(form)?;
        let (state, saved) = (self.state.clone(), std::mem::take(&mut self.saved));
        self.state.ctm = then(&matrix, &self.state.ctm);
        let done = self.run(&content, &resources, depth + 1);
        (self.state, self.saved) = (state, saved);
        done
    }

    /// What an annotation shows, in its rectangle.
    fn annotation(&mut self, printed: &Printed, ctm: Matrix) -> Result<(), DocumentError> {
        let file = self.reader.file;
        let Some(appearance) = &printed.appearance else { return Ok(()) };
        let appearance = file.follow(appearance)?;
        let Some(form) = appearance.stream() else { return Ok(()) };
        let bounds = file.array(&form.dict, "BBox")?.as_deref().and_then(numbers::<4>);
        let matrix = file.array(&form.dict, "Matrix")?.as_deref().and_then(numbers::<6>);
        if let Some((bounds, rectangle)) = bounds.zip(printed.rectangle(file)?) {
            let place = placed(bounds, matrix.unwrap_or(UNIT), rectangle);
            self.state = State::new(then(&place, &ctm));
            self.marked.clear();
            self.draw(form, &Dict::default(), 0)?;
        }
        Ok(())
    }

    fn mark(&mut self, instead: Option<Instead>) {
        if self.marked.len() < MARKED {
            self.marked.push(instead);
        }
    }

    fn instead(
        &self,
        operands: &[Object],
        resources: &Dict,
    ) -> Result<Option<Instead>, DocumentError> {
        let file = self.reader.file;
        let properties = match operands.get(1) {
            Some(Object::Dict(dict)) => dict.clone(),
            Some(Object::Name(name)) => {
                let found = file.entry(resources, "Properties", name)?;
                let found = found.as_ref().map(|found| file.follow(found)).transpose()?;
                found.and_then(|found| found.dict().cloned()).unwrap_or_default()
            }
            Some(_) | None => return Ok(None),
        };
        let text = file.get(&properties, "ActualText")?;
        let text = text.as_deref().and_then(Object::string).map(text_string);
        Ok(text.map(|text| Instead { text, told: false }))
    }

    /// Shows strings; in an array numbers move what follows (9.4.3).
    fn show(&mut self, operator: &[u8], operands: &[Object]) -> Result<(), DocumentError> {
        if operator == b"\""
            && let Some([word, character]) = numbers::<2>(operands)
        {
            (self.state.word_spacing, self.state.spacing) = (word, character);
        }
        if matches!(operator, b"'" | b"\"") {
            self.state.next_line((0.0, -self.state.leading));
        }
        match operands.last() {
            Some(Object::String(string)) => self.string(string)?,
            Some(Object::Array(array)) => {
                for object in array {
                    if let Some(string) = object.string() {
                        self.string(string)?;
                    } else if let Some(back) = object.number() {
                        let state = &mut self.state;
                        let by = -back / 1000.0 * state.size * state.scale;
                        state.text = moved((by, 0.0), &state.text);
                    }
                }
            }
            Some(_) | None => {}
        }
        Ok(())
    }

    fn string(&mut self, string: &[u8]) -> Result<(), DocumentError> {
        let Some(font) = self.state.font.clone() else { return Ok(()) };
        for shown in font.shown(string) {
            let state = &mut self.state;
            let wide = shown.width * state.size * state.scale;
            let word = if shown.space { state.word_spacing } else { 0.0 };
            let all = then(&state.text, &state.ctm);
            let place = |x: f64| {
                let at = moved((x, state.rise), &all);
                (at[4], at[5])
            };
            let ((x, y), end) = (place(0.0), place(wide));
            let size = all[2].hypot(all[3]) * state.size.abs();
            let by = wide + (state.spacing + word) * state.scale;
            state.text = moved((by, 0.0), &state.text);
            let text = self.told(shown.text);
            self.bytes += text.len();
            check_text(self.bytes, self.reader.limit)?;
            if !text.is_empty() {
                self.glyphs.push(Glyph { x, y, end, size, text });
            }
        }
        Ok(())
    }

    /// What is meant: the text that stands instead, once, or what is shown.
    fn told(&mut self, shown: String) -> String {
        let Some(instead) = self.marked.iter_mut().flatten().next() else { return shown };
        if std::mem::replace(&mut instead.told, true) {
            return String::new();
        }
        instead.text.clone()
    }
}

/// A text string (7.9.2.2): UTF-16 or UTF-8 with a mark, or nearly Latin-1.
fn text_string(bytes: &[u8]) -> String {
    if let Some(units) = bytes.strip_prefix(b"\xfe\xff") {
        return utf16(units);
    }
    if let Some(utf8) = bytes.strip_prefix(b"\xef\xbb\xbf") {
        return String::from_utf8_lossy(utf8).into_owned();
    }
    bytes.iter().filter_map(|&b| Base::WinAnsi.character(b)).collect()
}
