//! QR codes (ISO/IEC 18004), drawn as filled rectangles.

use qrcodegen::{QrCode, QrCodeEcc};

use crate::error::PaperError;
use crate::sheet::{Area, float, mm};

/// Clear space around a code, in modules (ISO/IEC 18004, 9.1).
const QUIET_ZONE: f32 = 4.0;

/// A module that an ordinary scanner still reads after a photocopier, and one that is large enough.
const SMALLEST_MODULE: f32 = mm(0.55);
const LARGEST_MODULE: f32 = mm(1.0);

/// A code and the size of its modules in points.
pub(crate) struct Code {
    code: QrCode,
    module: f32,
}

impl Code {
    /// `bytes` in byte mode, error correction M or, where that takes no more modules, better.
    /// The code with its quiet zone is at most `width` points wide.
    ///
    /// # Errors
    /// [`PaperError::TooLong`] if its modules would be too fine.
    pub(crate) fn new(what: &'static str, bytes: &[u8], width: f32) -> Result<Self, PaperError> {
        let too_long = || PaperError::TooLong { what, bytes: bytes.len(), most: most(width) };
        let code = QrCode::encode_binary(bytes, QrCodeEcc::Medium).map_err(|_| too_long())?;
        let module = (width / across(&code)).min(LARGEST_MODULE);
        if module < SMALLEST_MODULE {
            return Err(too_long());
        }
        Ok(Self { code, module })
    }

    /// Width and height with the quiet zone, in points.
    pub(crate) fn width(&self) -> f32 {
        across(&self.code) * self.module
    }

    /// The quiet zone's width, in points.
    pub(crate) fn margin(&self) -> f32 {
        QUIET_ZONE * self.module
    }

    /// The dark modules, those side by side as one, from the upper left corner of the quiet zone.
    pub(crate) fn areas(&self, left: f32, top: f32) -> Vec<Area> {
        let size = self.code.size();
        let mut areas = Vec::new();
        for y in 0..size {
            let mut x = 0;
            while x < size {
                let run = (x..size).take_while(|x| self.code.get_module(*x, y)).count();
                if run > 0 {
                    areas.push(self.area(left, top, x, y, run));
                }
                x += i32::try_from(run).unwrap_or(0) + 1;
            }
        }
        areas
    }

    fn area(&self, left: f32, top: f32, x: i32, y: i32, run: usize) -> Area {
        let at = |n: i32| (float(usize::try_from(n).unwrap_or(0)) + QUIET_ZONE) * self.module;
        let (left, top) = (left + at(x), top + at(y));
        Area { left, top, right: left + float(run) * self.module, bottom: top + self.module }
    }
}

fn across(code: &QrCode) -> f32 {
    float(usize::try_from(code.size()).unwrap_or(0)) + 2.0 * QUIET_ZONE
}

/// How many bytes fit a code of this width. Version `v` has `17 + 4v` modules a side.
fn most(width: f32) -> usize {
    let fits = |bytes: usize| {
        let code = QrCode::encode_binary(&vec![0; bytes], QrCodeEcc::Medium).ok();
        code.is_some_and(|code| width / across(&code) >= SMALLEST_MODULE)
    };
    let (mut low, mut high) = (0, 3_000);
    while low + 1 < high {
        let middle = usize::midpoint(low, high);
        if fits(middle) { low = middle } else { high = middle }
    }
    low
}
