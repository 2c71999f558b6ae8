//! What is kept of the answer that took a message over.

use super::Receipt;
use super::wire::Reply;
use crate::Address;

/// Most characters of a relay's number for a message.
const MOST: usize = 64;
/// What stands before the number: Postfix, Exim and Exchange (after `Internal`), others.
const MARKS: [&str; 3] = ["queued as ", "id=", "internalid="];

/// Codes and the relay's number; nothing that may be an address.
pub(super) fn receipt(reply: &Reply, to: &Address) -> Receipt {
    let status = reply.status();
    let response = match number(&reply.text(), to) {
        Some(number) => format!("{status} {number}"),
        None => status.to_string(),
    };
    Receipt { response }
}

fn number(text: &str, to: &Address) -> Option<String> {
    // As long as the text itself: only ASCII changes.
    let lower = text.to_ascii_lowercase();
    let begin = MARKS.iter().find_map(|mark| {
        let at = lower.find(mark)?;
        let alone = at == 0 || !lower[..at].ends_with(|c: char| c.is_ascii_alphanumeric());
        alone.then_some(at + mark.len())
    })?;
    let rest = text.get(begin..)?;
    let of_number = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let end = rest.find(|c| !of_number(c)).unwrap_or(rest.len());
    let (number, after) = rest.split_at(end);
    // A number has a digit, and is not the beginning of an address or of a name with dots.
    let good = number.len() <= MOST
        && number.contains(|c: char| c.is_ascii_digit())
        && !after.starts_with(['@', '.', '+']);
    (good && !speaks_of(number, to)).then(|| number.to_owned())
}

/// Whether the recipient can be told from it.
fn speaks_of(number: &str, to: &Address) -> bool {
    let number = number.to_ascii_lowercase();
    let parts = to.local().split(['.', '-', '_', '+']).chain(to.domain().split('.'));
    let mut telling = parts.filter(|part| part.len() > 2);
    telling.any(|part| number.contains(&part.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(text: &str) -> String {
        let to = "hans.meier@example.com".parse().expect("an address");
        let lines = text.lines().map(str::to_owned).collect();
        receipt(&Reply { code: 250, lines }, &to).response
    }

    #[test]
    fn the_number_a_relay_gave_is_kept() {
        assert_eq!(response("2.0.0 Ok: queued as 4XyZ12abcD"), "250 2.0.0 4XyZ12abcD");
        assert_eq!(response("OK id=1tGabc-0000000-1abc"), "250 1tGabc-0000000-1abc");
        let exchange = "2.6.0 <a@b> [InternalId=123456, Hostname=x.example] Queued mail";
        assert_eq!(response(exchange), "250 2.6.0 123456");
    }

    #[test]
    fn nothing_that_may_name_the_recipient_is_kept() {
        for text in [
            "2.0.0 queued as hans.meier@example.com",
            "2.0.0 queued as 1@example.com",
            "2.0.0 queued as meier7",
            "2.0.0 queued as 7EXAMPLE7",
            "2.0.0 queued as nothing",
            "2.0.0 hans.meier@example.com has it",
            "2.0.0 ÄÖ queued as ",
        ] {
            assert_eq!(response(text), "250 2.0.0", "{text}");
        }
    }
}
