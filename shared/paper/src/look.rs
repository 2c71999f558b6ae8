//! How everything of ours looks: black and one grey on white, so that it survives a photocopier.

use crate::face::Face;
use crate::setting::Style;

/// For what is secondary.
pub(crate) const GREY: u8 = 90;
/// For hairlines.
pub(crate) const PALE: u8 = 150;

pub(crate) const SECTION_GAP: f32 = 15.0;
/// How far above the area of a further page its rule is.
pub(crate) const TOP_RULE_ABOVE: f32 = 9.0;
/// A page that ends above this is a short one.
pub(crate) const TALL: f32 = 740.0;

pub(crate) const TITLE: Style = Style::new(Face::Text, 30.0, 35.0);
/// For a title that would not fit one line.
pub(crate) const LONG_TITLE: Style = Style::new(Face::Text, 21.0, 26.0);
pub(crate) const SUBTITLE: Style = Style::new(Face::Italic, 13.0, 17.0);
pub(crate) const LEAD: Style = Style::new(Face::Text, 14.5, 20.0);
pub(crate) const HEADING: Style = Style::new(Face::Strong, 12.2, 17.0);
pub(crate) const BODY: Style = Style::new(Face::Text, 10.2, 13.6);
pub(crate) const NOTE: Style = Style::new(Face::Italic, 9.2, 12.0).grey(GREY);
pub(crate) const LABEL: Style = Style::new(Face::Text, 9.4, 12.5).caps().grey(GREY);
pub(crate) const KICKER: Style = Style::new(Face::Text, 10.4, 14.0).caps();
pub(crate) const NUMBER: Style = Style::new(Face::Text, 19.0, 23.0);
pub(crate) const MONO: Style = Style::new(Face::Mono, 7.5, 10.8);
pub(crate) const HASH: Style = Style::new(Face::Mono, 9.4, 14.0);
pub(crate) const CELL: Style = Style::new(Face::Text, 9.3, 12.0);
pub(crate) const CELL_STRONG: Style = Style::new(Face::Strong, 9.3, 12.0);
pub(crate) const CELL_MONO: Style = Style::new(Face::Mono, 7.2, 10.2);
pub(crate) const FOOT: Style = Style::new(Face::Text, 7.8, 9.8).grey(GREY);
pub(crate) const FOOT_STRONG: Style = Style::new(Face::Strong, 8.2, 10.6);
