//! What a restore is asked for with: which job does it, what of it that job lets one choose, and the values it is given.

use std::collections::BTreeMap;

use super::work::RestoreWork;
use crate::job::{JobDefinition, Work};

/// The word for the newest good snapshot.
pub const LATEST: &str = "latest";

/// What somebody wants restored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wish {
    /// The snapshot: the first letters of its name, `REPOSITORY:LETTERS`, or `latest`.
    pub snapshot: String,
    /// Only this file or directory of it; all of it where empty.
    pub path: String,
    /// The directory that is made; the job's own where empty.
    pub to: String,
}

/// Something that a restore is given, and whether a job lets one choose it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice<'a> {
    /// The name of its parameter: `snapshot`, `path` or `to`.
    pub name: &'static str,
    /// Whether the job has such a parameter.
    pub open: bool,
    /// What the job takes where nobody chooses: its parameter's default, or what its definition says. `None` where it must be
    /// given.
    pub own: Option<&'a str>,
}

/// Why a job does not restore what somebody wants.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It restores something else than snapshots of this dataset.
    #[error("job {0} is not of the kind restore")]
    Kind(String),
    /// Its definition says what was to be chosen.
    #[error("job {job} has no parameter {name}: it restores what its definition says")]
    Fixed {
        /// The job.
        job: String,
        /// What was to be chosen.
        name: &'static str,
    },
    /// It reads another repository.
    #[error("job {job} restores from {from}, and the snapshot is in {repository}")]
    Elsewhere {
        /// The job.
        job: String,
        /// Where it reads.
        from: String,
        /// Where the snapshot is.
        repository: String,
    },
    /// It must be told where to.
    #[error("job {0} has to be told to which directory it restores")]
    NoPlace(String),
}

/// Why it is not clear which job restores a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// None does.
    None,
    /// Several do.
    Several(Vec<String>),
}

/// What a job restores, where it restores this dataset.
pub fn restores<'a>(job: &'a JobDefinition, dataset: &str) -> Option<&'a RestoreWork> {
    match job.work() {
        Some(Work::Restore(work)) if work.dataset == dataset => Some(work),
        _ => None,
    }
}

/// The one job that restores a dataset, of this name and on this host where that is said.
///
/// # Errors
/// There is none, or more than one.
pub fn the_one<'a>(
    jobs: &'a [JobDefinition],
    dataset: &str,
    name: Option<&str>,
    host: Option<&str>,
) -> Result<&'a JobDefinition, Which> {
    let fits = |job: &&JobDefinition| {
        restores(job, dataset).is_some()
            && name.is_none_or(|name| job.name == name)
            && host.is_none_or(|host| job.host.as_deref() == Some(host))
    };
    let all: Vec<&JobDefinition> = jobs.iter().filter(fits).collect();
    match all.as_slice() {
        [only] => Ok(only),
        [] => Err(Which::None),
        several => Err(Which::Several(several.iter().map(|job| job.name.clone()).collect())),
    }
}

/// What a job lets one choose, and what it takes otherwise.
pub fn choices<'a>(job: &'a JobDefinition, work: &'a RestoreWork) -> [Choice<'a>; 3] {
    let of = |name: &'static str, own: &'a str| match job.parameters.get(name) {
        Some(parameter) => Choice { name, open: true, own: parameter.default.as_deref() },
        None => Choice { name, open: false, own: Some(own) },
    };
    [of("snapshot", &work.snapshot), of("path", &work.path), of("to", &work.to)]
}

/// The values a run of a job is given so that it restores what somebody wants.
///
/// # Errors
/// The job does not restore that.
pub fn given(job: &JobDefinition, wish: &Wish) -> Result<BTreeMap<String, String>, Unfit> {
    let Some(Work::Restore(work)) = job.work() else { return Err(Unfit::Kind(job.name.clone())) };
    let snapshot = letters(job, work, &wish.snapshot)?;
    let wanted = [snapshot, &wish.path, &wish.to];
    let mut found = BTreeMap::new();
    for (choice, wanted) in choices(job, work).into_iter().zip(wanted) {
        found.extend(value(job, &choice, wanted)?);
    }
    Ok(found)
}

/// The name of a snapshot as the job's engine is told it, in the job's own repository.
fn letters<'a>(job: &JobDefinition, work: &RestoreWork, wanted: &'a str) -> Result<&'a str, Unfit> {
    match wanted.split_once(':') {
        None => Ok(wanted),
        Some((repository, letters)) if repository == work.repository => Ok(letters),
        Some((repository, _)) => Err(Unfit::Elsewhere {
            job: job.name.clone(),
            from: work.repository.clone(),
            repository: repository.to_owned(),
        }),
    }
}

fn value(
    job: &JobDefinition,
    choice: &Choice<'_>,
    wanted: &str,
) -> Result<Option<(String, String)>, Unfit> {
    let name = choice.name;
    let says_nothing = wanted.is_empty() || (name == "snapshot" && wanted == LATEST);
    match (choice.open, choice.own) {
        (true, Some(_)) if name == "to" && wanted.is_empty() => Ok(None),
        (true, None) if name == "to" && wanted.is_empty() => Err(Unfit::NoPlace(job.name.clone())),
        (true, _) => Ok(Some((name.to_owned(), wanted.to_owned()))),
        (false, own) if says_nothing || own == Some(wanted) => Ok(None),
        (false, _) => Err(Unfit::Fixed { job: job.name.clone(), name }),
    }
}

/// Longest name of a job.
const NAME_MAX: usize = 63;

/// A job that would restore a dataset, as a file to be applied.
pub fn job_for(dataset: &str, repository: &str, host: &str) -> String {
    let mut name = format!("restore-{dataset}");
    name.truncate(NAME_MAX);
    // Names are ASCII; in quotes none is read as a number.
    format!(
        "name: '{name}'\nkind: restore\nhost: '{host}'\n\
         parameters: {{snapshot: {{default: latest}}, path: {{default: ''}}, to: {{}}}}\n\
         restore:\n  dataset: '{dataset}'\n  repository: '{repository}'\n  snapshot: '{{{{snapshot}}}}'\n  \
         path: '{{{{path}}}}'\n  to: '{{{{to}}}}'\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Definition, parse_yaml};

    fn job(text: &str) -> JobDefinition {
        match parse_yaml("test", text).unwrap().pop().unwrap() {
            Definition::Job(job) => *job,
            Definition::Thing(thing) => panic!("{thing:?}"),
        }
    }

    const OPEN: &str = "name: open\nkind: restore\nparameters: {snapshot: {default: latest}, path: {default: ''}, to: {}}\n\
        restore: {dataset: d, repository: vault, snapshot: '{{snapshot}}', path: '{{path}}', to: '{{to}}'}";
    const SHUT: &str = "name: shut\nkind: restore\nhost: db-1\nrestore: {dataset: d, repository: vault, to: /back}";
    const HALF: &str = "name: half\nkind: restore\nparameters: {to: {default: /usual}}\n\
        restore: {dataset: d, repository: vault, path: /srv, to: '{{to}}'}";

    #[test]
    fn a_job_is_given_what_it_lets_one_choose_and_refuses_what_its_definition_says_otherwise() {
        let fixed = |job: &str, name| Unfit::Fixed { job: job.to_owned(), name };
        let elsewhere = Unfit::Elsewhere {
            job: "open".into(),
            from: "vault".into(),
            repository: "attic".into(),
        };
        type Given = &'static [(&'static str, &'static str)];
        let all: Given = &[("path", ""), ("snapshot", "latest"), ("to", "/x")];
        let some: Given = &[("path", "/a b"), ("snapshot", "ab12"), ("to", "/x")];
        let table: [(&str, [&str; 3], Result<Given, Unfit>); 12] = [
            (OPEN, ["latest", "", "/x"], Ok(all)),
            (OPEN, ["ab12", "/a b", "/x"], Ok(some)),
            (OPEN, ["vault:ab12", "/a b", "/x"], Ok(some)),
            (OPEN, ["attic:ab12", "", "/x"], Err(elsewhere)),
            (OPEN, ["latest", "", ""], Err(Unfit::NoPlace("open".into()))),
            (SHUT, ["latest", "", ""], Ok(&[])),
            (SHUT, ["latest", "", "/back"], Ok(&[])),
            (SHUT, ["latest", "", "/x"], Err(fixed("shut", "to"))),
            (SHUT, ["ab12", "", ""], Err(fixed("shut", "snapshot"))),
            (SHUT, ["latest", "/a", ""], Err(fixed("shut", "path"))),
            (HALF, ["latest", "/srv", ""], Ok(&[])),
            (HALF, ["latest", "", "/y"], Ok(&[("to", "/y")])),
        ];
        for (text, [snapshot, path, to], wanted) in table {
            let job = job(text);
            let wish = Wish { snapshot: snapshot.into(), path: path.into(), to: to.into() };
            let owned = |all: Given| {
                all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
            };
            assert_eq!(given(&job, &wish), wanted.map(owned), "{} {wish:?}", job.name);
        }
        let other = job("name: x\ncommand: {argv: [/bin/true]}");
        assert_eq!(given(&other, &Wish::default()), Err(Unfit::Kind("x".to_owned())));
    }

    #[test]
    fn which_job_restores_is_asked_only_where_there_are_several() {
        let jobs = [job(OPEN), job(SHUT), job("name: x\ncommand: {argv: [/bin/true]}")];
        let several = Which::Several(vec!["open".to_owned(), "shut".to_owned()]);
        for (dataset, name, host, wanted) in [
            ("d", None, None, Err(several)),
            ("d", Some("open"), None, Ok("open")),
            ("d", None, Some("db-1"), Ok("shut")),
            ("d", Some("open"), Some("db-1"), Err(Which::None)),
            ("e", None, None, Err(Which::None)),
        ] {
            let found = the_one(&jobs, dataset, name, host).map(|job| job.name.as_str());
            assert_eq!(found, wanted, "{dataset} {name:?} {host:?}");
        }
    }

    #[test]
    fn the_job_that_would_do_it_can_be_applied_as_it_stands() {
        for dataset in ["ledger", "1", "no", &"a".repeat(63)] {
            let made = job(&job_for(dataset, "vault", "db-1"));
            assert_eq!(made.problems(), [], "{dataset}");
            assert_eq!((made.host.as_deref(), made.schedule.is_none()), (Some("db-1"), true));
            let wish = Wish { snapshot: "vault:ab".into(), path: "/a".into(), to: "/x".into() };
            assert_eq!(given(&made, &wish).unwrap().len(), 3);
            assert_eq!(restores(&made, dataset).unwrap().repository, "vault");
        }
    }
}
