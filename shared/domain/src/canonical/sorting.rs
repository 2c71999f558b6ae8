//! The quick way to canonical JSON: serde writes, and each object's members are put in order when it ends.
//!
//! Every event is spelled at least twice, by its producer and by the recorder, so this is where a log
//! spends its time. What would need more than sorting bytes (fractions, numbers beyond 2^53, names outside
//! ASCII, whose order is that of UTF-16) is given up, and left to the library.

use std::cell::{Cell, RefCell};
use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter, Serializer};

/// Integers up to here are spelled alike by RFC 8785 and everybody else (IEEE 754 doubles hold them).
const EXACT: u64 = 1 << 53;

/// The canonical bytes, or nothing where it takes more than sorting.
pub(super) fn plain<T: Serialize>(value: &T) -> Result<Option<Vec<u8>>, serde_json::Error> {
    let text = Text { bytes: RefCell::new(Vec::with_capacity(1_024)), given_up: Cell::new(false) };
    let sorting = Sorting { text: &text, objects: Vec::new(), in_name: false };
    value.serialize(&mut Serializer::with_formatter(&text, sorting))?;
    Ok((!text.given_up.get()).then(|| text.bytes.into_inner()))
}

/// What is written, by serde and by [`Sorting`] in turn.
struct Text {
    bytes: RefCell<Vec<u8>>,
    given_up: Cell<bool>,
}

impl Write for &Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Sorting<'a> {
    text: &'a Text,
    /// Objects that have begun and not ended.
    objects: Vec<Vec<Member>>,
    in_name: bool,
}

/// Places in the text: a member without its comma, and the end of its name.
#[derive(Clone, Copy)]
struct Member {
    begin: usize,
    name_end: usize,
    end: usize,
}

impl Member {
    /// The name without its quotes.
    fn name(self, text: &[u8]) -> &[u8] {
        text.get(self.begin + 1..self.name_end - 1).unwrap_or_default()
    }

    fn whole(self, text: &[u8]) -> &[u8] {
        text.get(self.begin..self.end).unwrap_or_default()
    }
}

impl Sorting<'_> {
    fn place(&self) -> usize {
        self.text.bytes.borrow().len()
    }

    fn give_up_if(&self, more_than_sorting: bool) {
        if more_than_sorting {
            self.text.given_up.set(true);
        }
    }

    /// Puts the members of the object that ends here in the order of their names.
    fn sort(&mut self) {
        let Some(mut members) = self.objects.pop() else { return };
        let mut text = self.text.bytes.borrow_mut();
        if members.is_sorted_by(|a, b| a.name(&text) < b.name(&text)) {
            return;
        }
        let begin = members.first().map_or(text.len(), |member| member.begin);
        members.sort_by(|a, b| a.name(&text).cmp(b.name(&text)));
        let parts: Vec<&[u8]> = members.iter().map(|member| member.whole(&text)).collect();
        let sorted = parts.join(&b","[..]);
        text.truncate(begin);
        text.extend_from_slice(&sorted);
    }
}

impl Formatter for Sorting<'_> {
    fn write_i64<W: ?Sized + Write>(&mut self, writer: &mut W, value: i64) -> io::Result<()> {
        self.give_up_if(value.unsigned_abs() > EXACT);
        CompactFormatter.write_i64(writer, value)
    }

    fn write_u64<W: ?Sized + Write>(&mut self, writer: &mut W, value: u64) -> io::Result<()> {
        self.give_up_if(value > EXACT);
        CompactFormatter.write_u64(writer, value)
    }

    fn write_i128<W: ?Sized + Write>(&mut self, _: &mut W, _: i128) -> io::Result<()> {
        self.give_up_if(true);
        Ok(())
    }

    fn write_u128<W: ?Sized + Write>(&mut self, _: &mut W, _: u128) -> io::Result<()> {
        self.give_up_if(true);
        Ok(())
    }

    fn write_f32<W: ?Sized + Write>(&mut self, _: &mut W, _: f32) -> io::Result<()> {
        self.give_up_if(true);
        Ok(())
    }

    fn write_f64<W: ?Sized + Write>(&mut self, _: &mut W, _: f64) -> io::Result<()> {
        self.give_up_if(true);
        Ok(())
    }

    fn write_number_str<W: ?Sized + Write>(&mut self, _: &mut W, _: &str) -> io::Result<()> {
        self.give_up_if(true);
        Ok(())
    }

    fn write_raw_fragment<W: ?Sized + Write>(&mut self, _: &mut W, _: &str) -> io::Result<()> {
        self.give_up_if(true);
        Ok(())
    }

    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        self.give_up_if(self.in_name && !fragment.is_ascii());
        CompactFormatter.write_string_fragment(writer, fragment)
    }

    fn write_char_escape<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        self.give_up_if(self.in_name);
        CompactFormatter.write_char_escape(writer, escape)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.objects.push(Vec::with_capacity(16));
        CompactFormatter.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.sort();
        CompactFormatter.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        CompactFormatter.begin_object_key(writer, first)?;
        self.in_name = true;
        let begin = self.place();
        if let Some(members) = self.objects.last_mut() {
            members.push(Member { begin, name_end: begin, end: begin });
        }
        Ok(())
    }

    fn end_object_key<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.in_name = false;
        let here = self.place();
        if let Some(member) = self.objects.last_mut().and_then(|members| members.last_mut()) {
            member.name_end = here;
        }
        Ok(())
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        let here = self.place();
        if let Some(member) = self.objects.last_mut().and_then(|members| members.last_mut()) {
            member.end = here;
        }
        Ok(())
    }
}
