//! PWG Raster (PWG 5102.4-2012): a page is a header of 1,796 bytes and compressed lines.

use std::ops::{Range, RangeInclusive};

use crate::{DocumentError, Format, Limits, Size};

/// What the file begins with (4.2): the big-endian form is the only one.
const SYNC: &[u8] = b"RaS2";
/// Bytes of a page header (4.3).
const HEADER: usize = 1796;
/// Where the header says of how many pages the document is; 0 is "not known".
const TOTAL_PAGES: usize = 452;
/// Points to an inch.
const INCH: f64 = 72.0;

/// The pages of a raster: where each one begins and ends, with its header.
pub(crate) struct Raster<'a> {
    bytes: &'a [u8],
    pages: Vec<Range<usize>>,
}

/// The numbers of a page header that are needed to walk its lines.
struct Header {
    resolution: [u32; 2],
    points: [u32; 2],
    width: u32,
    height: u32,
    pixel_bytes: usize,
    line_bytes: usize,
    copies: u32,
    total: u32,
}

impl<'a> Raster<'a> {
    /// Walks all lines of all pages.
    pub(crate) fn open(bytes: &'a [u8], limits: &Limits) -> Result<Self, DocumentError> {
        let mut walk = Walk { bytes, at: SYNC.len() };
        let (mut pages, mut total) = (vec![], 0);
        while walk.at < bytes.len() {
            let start = walk.at;
            let page = pages.len() + 1;
            let header = walk.header().map_err(|what| damaged(page, what))?;
            if header.copies > 1 {
                return Err(DocumentError::copies(Format::PwgRaster));
            }
            walk.lines(&header).map_err(|what| damaged(page, what))?;
            total = total.max(header.total);
            pages.push(start..walk.at);
            limits.check_pages(count(&pages))?;
        }
        let counted = count(&pages);
        if counted == 0 {
            return Err(DocumentError::damaged(Format::PwgRaster, "it has no page"));
        }
        if total != 0 && total != counted {
            let what = format!("it has {counted} pages and says that it has {total}");
            return Err(DocumentError::damaged(Format::PwgRaster, what));
        }
        Ok(Self { bytes, pages })
    }

    pub(crate) fn pages(&self) -> u32 {
        count(&self.pages)
    }

    /// The size of the first page; of its picture where the header names none.
    pub(crate) fn size(&self) -> Option<Size> {
        let header = Walk { bytes: self.bytes, at: SYNC.len() }.header().ok()?;
        let side = |points: u32, pixels: u32, per_inch: u32| {
            if points != 0 {
                return Some(f64::from(points));
            }
            (per_inch != 0).then(|| f64::from(pixels) * INCH / f64::from(per_inch))
        };
        let width = side(header.points[0], header.width, header.resolution[0])?;
        let height = side(header.points[1], header.height, header.resolution[1])?;
        Some(Size { width, height })
    }

    /// A raster of only these pages, which exist.
    pub(crate) fn part(&self, pages: RangeInclusive<u32>) -> Vec<u8> {
        let total = pages.end() - pages.start() + 1;
        let mut part = SYNC.to_vec();
        for (_, range) in (1..).zip(&self.pages).filter(|(page, _)| pages.contains(page)) {
            let start = part.len();
            part.extend_from_slice(&self.bytes[range.clone()]);
            let said = &mut part[start + TOTAL_PAGES..start + TOTAL_PAGES + 4];
            if said != [0; 4] {
                said.copy_from_slice(&total.to_be_bytes());
            }
        }
        part
    }
}

fn count(pages: &[Range<usize>]) -> u32 {
    u32::try_from(pages.len()).unwrap_or(u32::MAX)
}

fn damaged(page: usize, what: &str) -> DocumentError {
    DocumentError::damaged(Format::PwgRaster, format!("page {page}: {what}"))
}

struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Walk<'_> {
    fn take(&mut self, n: usize) -> Result<&[u8], &'static str> {
        let end = self.at.checked_add(n).ok_or("it is cut short")?;
        let taken = self.bytes.get(self.at..end).ok_or("it is cut short")?;
        self.at = end;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<usize, &'static str> {
        self.take(1).map(|taken| usize::from(taken[0]))
    }

    fn header(&mut self) -> Result<Header, &'static str> {
        let bytes = self.take(HEADER)?;
        if !bytes.starts_with(b"PwgRaster\0") {
            return Err("what follows is no page header");
        }
        let number = |at: usize| {
            let four = bytes[at..at + 4].try_into().unwrap_or_default();
            u32::from_be_bytes(four)
        };
        let (width, height, bits) = (number(372), number(376), number(388));
        let line_bytes = number(392);
        if (width, height, bits) != (width.max(1), height.max(1), bits.clamp(1, 256)) {
            return Err("its picture has no size");
        }
        let needed = (u64::from(width) * u64::from(bits)).div_ceil(8);
        if needed != u64::from(line_bytes) {
            return Err("its lines are not as long as its picture is wide");
        }
        Ok(Header {
            resolution: [number(276), number(280)],
            points: [number(352), number(356)],
            width,
            height,
            pixel_bytes: usize::try_from(bits.div_ceil(8)).unwrap_or(1),
            line_bytes: usize::try_from(line_bytes).map_err(|_| "its lines are too long")?,
            copies: number(340),
            total: number(TOTAL_PAGES),
        })
    }

    /// Each line says how often it is repeated and what is in it (4.4).
    fn lines(&mut self, header: &Header) -> Result<(), &'static str> {
        let mut left = usize::try_from(header.height).map_err(|_| "it is too high")?;
        while left > 0 {
            let repeated = self.byte()? + 1;
            left = left.checked_sub(repeated).ok_or("it has more lines than it says")?;
            self.line(header)?;
        }
        Ok(())
    }

    /// Up to 128 times the same pixel, up to 128 different ones, or (128) white to the end of the line.
    fn line(&mut self, header: &Header) -> Result<(), &'static str> {
        let mut left = header.line_bytes;
        while left > 0 {
            let said = self.byte()?;
            let (pixels, stored) = match said {
                128 => return Ok(()),
                0..128 => (said + 1, 1),
                _ => (257 - said, 257 - said),
            };
            let filled = pixels * header.pixel_bytes;
            left = left.checked_sub(filled).ok_or("a line is longer than it may be")?;
            self.take(stored * header.pixel_bytes)?;
        }
        Ok(())
    }
}
