//! What is asked of this host about documents: their content, what is known of them, and whether a code is right.

use std::io::Read;
use std::sync::Arc;

use anyhow::bail;
use domain::event::{PrintCodeRefused, PrintEvent};
use domain::ids::StreamId;
use domain::print::facts::{DocumentFacts, SheetFacts};

use super::books::{fetch, say};
use crate::attempt::AttemptDir;
use crate::host::Host;
use crate::life::blocking;

/// After so many wrong codes a document is not released by any: of 100 million, ten are a one in ten million chance.
const WRONG_CODES_MAX: u32 = 10;
/// Most bytes of one answer.
const ANSWER_BYTES: u64 = 512 * 1024;

/// A piece of a document's content; `None` where it is not here.
pub(crate) fn content(
    host: &Host,
    id: &StreamId,
    offset: u64,
    limit: u32,
) -> anyhow::Result<Option<Vec<u8>>> {
    let Some(mut content) = host.books.spool.content(id)? else { return Ok(None) };
    content.skip_to(offset)?;
    let mut piece = Vec::new();
    content.take(u64::from(limit).min(ANSWER_BYTES)).read_to_end(&mut piece)?;
    Ok(Some(piece))
}

/// What is known of a document and stands in no event, as JSON; `None` where it is not here.
pub(crate) fn facts(host: &Host, id: &StreamId) -> anyhow::Result<Option<Vec<u8>>> {
    let Some(facts) = host.books.spool.facts(id)? else { return Ok(None) };
    let sheet = |one: &super::spool::Sheet| SheetFacts {
        page: one.page,
        amount: one.amount,
        payee: one.payee.clone(),
        number: one.number,
    };
    let told = DocumentFacts {
        title: facts.title,
        source: facts.source,
        sheets: facts.sheets.iter().map(sheet).collect(),
        recipients: facts.deliveries.into_iter().map(|one| one.recipient).collect(),
        code: facts.code,
    };
    let json = serde_json::to_vec(&told)?;
    if json.len() as u64 > ANSWER_BYTES {
        bail!("what is known of it does not fit into one answer");
    }
    Ok(Some(json))
}

/// Whether this is the code of a document, as JSON; if so, it may be printed. A wrong one is said, and after too many of them
/// none is right any more.
pub(crate) async fn code(
    host: &Arc<Host>,
    id: &StreamId,
    code: String,
) -> anyhow::Result<Option<Vec<u8>>> {
    let Some(known) = fetch(host, id).await else { return Ok(None) };
    if known.document.wrong_codes >= WRONG_CODES_MAX {
        bail!("a wrong code was given {WRONG_CODES_MAX} times: cancel it, and print it again");
    }
    let (books, asked) = (Arc::clone(host), id.clone());
    let right = blocking(move || books.books.spool.give_code(&asked, &code)).await?;
    if !right {
        let refused = PrintCodeRefused { times: known.document.wrong_codes + 1 };
        say(host, id, &known, PrintEvent::PrintCodeRefused(refused)).await?;
    }
    Ok(Some(serde_json::to_vec(&right)?))
}

/// A piece of an artefact that an attempt kept; `None` where there is none.
pub(crate) fn artefact(
    dir: &AttemptDir,
    name: &str,
    offset: u64,
    limit: u32,
) -> anyhow::Result<Option<Vec<u8>>> {
    let mut piece = Vec::new();
    let most = u64::from(limit).min(ANSWER_BYTES);
    if let Some(mut file) = dir.artefact(name)? {
        std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(offset))?;
        file.take(most).read_to_end(&mut piece)?;
    } else {
        // It is encrypted by now, or there is none.
        let Some(sealed) = dir.sealed_artefact(name, offset)? else { return Ok(None) };
        sealed.take(most).read_to_end(&mut piece)?;
    }
    Ok(Some(piece))
}
