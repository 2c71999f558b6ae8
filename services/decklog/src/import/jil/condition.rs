//! Starting conditions: `s(a) & (d(b) & f(c, 12.00))`.

/// What must hold of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// It succeeded.
    Success,
    /// It failed.
    Failure,
    /// It ended somehow.
    Done,
    /// It was stopped.
    Terminated,
}

/// One of several things that must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Term {
    pub(super) wanted: Wanted,
    pub(super) job: String,
    /// How far back its end may lie.
    pub(super) lookback: Option<String>,
}

/// Reads a condition where all of its terms must hold.
pub(super) fn parse(text: &str) -> Result<Vec<Term>, String> {
    let mut terms = Vec::new();
    let (mut rest, mut depth, mut first) = (text.trim(), 0_usize, true);
    while !rest.is_empty() {
        rest = if let Some(inside) = rest.strip_prefix('(') {
            depth += 1;
            inside
        } else if let Some(outside) = rest.strip_prefix(')').filter(|_| depth > 0) {
            depth -= 1;
            outside
        } else if let Some(after) = both(rest).filter(|_| !first) {
            after
        } else if either(rest) {
            return Err(
                "either of several (`|`) cannot be carried: `after` waits for all".to_owned()
            );
        } else {
            let (term, after) = term(rest)?;
            terms.push(term);
            first = false;
            after
        }
        .trim_start();
    }
    if depth > 0 || terms.is_empty() {
        return Err(format!("`{text}` cannot be read"));
    }
    Ok(terms)
}

/// What follows `&` or `and`.
fn both(text: &str) -> Option<&str> {
    text.strip_prefix('&').or_else(|| {
        let (word, after) = text.split_at_checked(3)?;
        (word.eq_ignore_ascii_case("and") && after.starts_with([' ', '('])).then_some(after)
    })
}

fn either(text: &str) -> bool {
    text.starts_with('|')
        || text.split_at_checked(2).is_some_and(|(word, after)| {
            word.eq_ignore_ascii_case("or") && after.starts_with([' ', '('])
        })
}

fn term(text: &str) -> Result<(Term, &str), String> {
    let unread = || format!("`{text}` cannot be read: conditions look like s(job)");
    let (function, rest) = text.split_once('(').ok_or_else(unread)?;
    let (inside, after) = rest.split_once(')').ok_or_else(unread)?;
    let wanted = match function.trim().to_ascii_lowercase().as_str() {
        "s" | "success" => Wanted::Success,
        "f" | "failure" => Wanted::Failure,
        "d" | "done" => Wanted::Done,
        "t" | "terminated" => Wanted::Terminated,
        "n" | "notrunning" => {
            return Err("n(): not while another runs; give both jobs one lock".to_owned());
        }
        "e" | "exitcode" => {
            return Err("e(): another job's exit code cannot be asked for".to_owned());
        }
        "v" | "value" | "g" => return Err("v(): there are no global variables".to_owned()),
        _ => return Err(unread()),
    };
    let (job, lookback) = inside.split_once(',').unwrap_or((inside, ""));
    let job = job.trim().trim_matches('"');
    if job.contains('^') {
        return Err(format!("{job}: a job of another instance cannot be waited for"));
    }
    if job.is_empty() {
        return Err(unread());
    }
    let lookback = Some(lookback.trim().to_owned()).filter(|text| !text.is_empty());
    Ok((Term { wanted, job: job.to_owned(), lookback }, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        let one = |term: Term| {
            let back = term.lookback.map(|back| format!(" {back}")).unwrap_or_default();
            format!("{:?} {}{back}", term.wanted, term.job)
        };
        match parse(text) {
            Ok(terms) => terms.into_iter().map(one).collect::<Vec<_>>().join(", "),
            Err(error) => error,
        }
    }

    #[test]
    fn conditions_that_must_all_hold_are_read() {
        for (text, wanted) in [
            ("s(a)", "Success a"),
            ("success(a) AND d(b)", "Success a, Done b"),
            ("s(a)&f(B_1) & t( c )", "Success a, Failure B_1, Terminated c"),
            ("(s(a) & (d(b)))and(s(c,12.00))", "Success a, Done b, Success c 12.00"),
            ("S(android)", "Success android"),
        ] {
            assert_eq!(read(text), wanted, "{text}");
        }
    }

    #[test]
    fn other_conditions_are_refused_with_the_reason() {
        for (text, wanted) in [
            ("s(a) | s(b)", "either"),
            ("s(a) or s(b)", "either"),
            ("n(a)", "one lock"),
            ("e(a) = 4", "exit code"),
            ("v(X) = \"1\"", "global variables"),
            ("s(a^PRD)", "another instance"),
            ("s(a", "cannot be read"),
            ("(s(a)", "cannot be read"),
            ("", "cannot be read"),
            ("s(a) s", "cannot be read"),
            ("s()", "cannot be read"),
        ] {
            assert!(read(text).contains(wanted), "{text}: {}", read(text));
        }
    }
}
