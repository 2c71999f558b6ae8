//! Objects as bytes of a new file (ISO 32000-1, 7.5).

use super::object::{Dict, Object};

/// A file that is being written.
pub(super) struct Writer {
    out: Vec<u8>,
    /// Where each object is, from number 1; 0 where it is not written.
    offsets: Vec<usize>,
}

impl Writer {
    /// Begins a file of this version, as `1.7`.
    pub(super) fn new(version: &str) -> Self {
        // Four bytes above ASCII tell programs that move files that this is no text.
        let mut out = format!("%PDF-{version}\n%").into_bytes();
        out.extend(*b"\xe2\xe3\xcf\xd3\n");
        Self { out, offsets: vec![] }
    }

    /// A number for an object that is written later.
    pub(super) fn reserve(&mut self) -> u32 {
        self.offsets.push(0);
        u32::try_from(self.offsets.len()).unwrap_or(u32::MAX)
    }

    /// Writes an object whose streams have their bytes in `source`.
    pub(super) fn object(&mut self, id: u32, object: &Object, source: &[u8]) {
        let at = usize::try_from(id).ok().and_then(|id| id.checked_sub(1));
        if let Some(offset) = at.and_then(|at| self.offsets.get_mut(at)) {
            *offset = self.out.len();
        }
        self.text(&format!("{id} 0 obj\n"));
        if let Object::Stream(stream) = object {
            let data = source.get(stream.data.clone()).unwrap_or_default();
            let mut dict = stream.dict.clone();
            dict.set("Length", Object::Integer(i64::try_from(data.len()).unwrap_or(i64::MAX)));
            self.dict(&dict);
            self.text("\nstream\n");
            self.out.extend_from_slice(data);
            self.text("\nendstream");
        } else {
            self.value(object);
        }
        self.text("\nendobj\n");
    }

    /// Ends the file, whose catalog is object `root`.
    pub(super) fn finish(mut self, root: u32) -> Vec<u8> {
        let start = self.out.len();
        let size = self.offsets.len() + 1;
        self.text(&format!("xref\n0 {size}\n0000000000 65535 f \n"));
        for offset in std::mem::take(&mut self.offsets) {
            let kind = if offset == 0 { "65535 f" } else { "00000 n" };
            self.text(&format!("{offset:010} {kind} \n"));
        }
        self.text(&format!(
            "trailer\n<</Size {size}/Root {root} 0 R>>\nstartxref\n{start}\n%%EOF\n"
        ));
        self.out
    }

    fn text(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn value(&mut self, object: &Object) {
        match object {
            Object::Null | Object::Stream(_) => self.text("null"),
            Object::Bool(value) => self.text(if *value { "true" } else { "false" }),
            Object::Integer(n) => self.text(&n.to_string()),
            Object::Real(n) => self.text(&n.to_string()),
            Object::String(string) => self.string(string),
            Object::Name(name) => self.name(name),
            Object::Reference(id) => self.text(&format!("{id} 0 R")),
            Object::Dict(dict) => self.dict(dict),
            Object::Array(array) => {
                self.text("[");
                for (n, object) in array.iter().enumerate() {
                    self.text(if n == 0 { "" } else { " " });
                    self.value(object);
                }
                self.text("]");
            }
        }
    }

    fn dict(&mut self, dict: &Dict) {
        self.text("<<");
        for (key, value) in &dict.0 {
            self.name(key);
            self.text(" ");
            self.value(value);
        }
        self.text(">>");
    }

    fn name(&mut self, name: &[u8]) {
        self.text("/");
        for &b in name {
            if b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'+' | b'.' | b',' | b'*') {
                self.out.push(b);
            } else {
                self.text(&format!("#{b:02X}"));
            }
        }
    }

    fn string(&mut self, string: &[u8]) {
        self.text("(");
        for &b in string {
            match b {
                b'(' | b')' | b'\\' => self.out.extend([b'\\', b]),
                b'\r' => self.text("\\r"),
                _ => self.out.push(b),
            }
        }
        self.text(")");
    }
}
