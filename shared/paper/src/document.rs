//! What all documents go through: foot, flow, file.

use crate::draft::Page;
use crate::error::PaperError;
use crate::flow::Flow;
use crate::imprint::{Foot, Imprint, instant};
use crate::letters::bounded;
use crate::setting::Setter;
use crate::sheet::Sheet;
use crate::write::{Drafted, write};

/// Longest title of a file, in characters.
const MAX_TITLE_CHARS: usize = 200;

/// Of what every document is made.
pub(crate) struct Frame<'a> {
    pub(crate) sheet: Sheet,
    pub(crate) title: &'a str,
    pub(crate) subject: &'a str,
    pub(crate) imprint: &'a Imprint,
}

/// The pages as they will be, with what does not stand on them.
pub(crate) fn draft(
    frame: &Frame<'_>,
    setter: &Setter,
    fill: impl FnOnce(&mut Flow<'_>) -> Result<(), PaperError>,
) -> Result<Drafted, PaperError> {
    let foot = Foot::new(setter, frame.sheet, frame.title, frame.imprint);
    let mut flow = Flow::new(setter, foot.leaves(frame.sheet));
    fill(&mut flow)?;
    let mut pages: Vec<Page> = flow.pages;
    foot.print(setter, frame.sheet, &mut pages);
    Ok(Drafted {
        sheet: frame.sheet,
        title: printable(frame.title),
        subject: printable(frame.subject),
        made_by: printable(&frame.imprint.made_by),
        made_at: instant(&frame.imprint.made_at)?,
        pages,
        parts: flow.parts,
        contents: flow.contents,
    })
}

/// The file of what is drafted.
pub(crate) fn pdf(
    draft: impl FnOnce(&Setter) -> Result<Drafted, PaperError>,
) -> Result<Vec<u8>, PaperError> {
    let setter = Setter::new()?;
    let drafted = draft(&setter)?;
    write(drafted, &setter.faces)
}

/// A text for the file's own description: XML has no control characters.
fn printable(text: &str) -> String {
    let hidden = |c: char| c.is_control() || u32::from(c) & 0xFFFE == 0xFFFE;
    bounded(text, MAX_TITLE_CHARS).chars().map(|c| if hidden(c) { ' ' } else { c }).collect()
}
