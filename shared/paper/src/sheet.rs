//! The sheet of paper, and what of it is printed on. All lengths are in points (1/72 inch).

/// Points in a millimetre.
const MM: f32 = 72.0 / 25.4;

/// `n` millimetres in points.
pub(crate) const fn mm(n: f32) -> f32 {
    n * MM
}

/// The paper a document is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sheet {
    /// ISO 216 A4, 210 × 297 mm.
    #[default]
    A4,
    /// US Letter, 8½ × 11 inches.
    Letter,
}

impl Sheet {
    /// Width and height.
    pub(crate) const fn size(self) -> (f32, f32) {
        match self {
            Self::A4 => (mm(210.0), mm(297.0)),
            Self::Letter => (612.0, 792.0),
        }
    }

    /// The part inside the margins. The left margin has room for the holes of a binder.
    pub(crate) const fn area(self) -> Area {
        let (width, height) = self.size();
        Area { left: mm(22.0), right: width - mm(18.0), top: mm(17.0), bottom: height - mm(13.0) }
    }
}

/// An upright rectangle, in points from the sheet's upper left corner.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Area {
    pub(crate) left: f32,
    pub(crate) right: f32,
    pub(crate) top: f32,
    pub(crate) bottom: f32,
}

impl Area {
    pub(crate) const fn width(self) -> f32 {
        self.right - self.left
    }

    pub(crate) const fn height(self) -> f32 {
        self.bottom - self.top
    }
}

/// A count as a length or a factor. Nothing on a page is counted beyond 65,535.
pub(crate) fn float(n: usize) -> f32 {
    f32::from(u16::try_from(n).unwrap_or(u16::MAX))
}
