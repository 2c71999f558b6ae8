//! Other people's schedules: text in; documents and remarks out. Pure, but for reading the files.
//!
//! Nothing is silently dropped: what cannot be said in a document is left out or noted, each with its file and line.
//!
//! | module | is about |
//! |---|---|
//! | [`crontab`], [`systemd`], [`rundeck`], [`quartz`], [`jil`], [`controlm`], [`ics`] | one format each |
//! | [`document`] | what an import makes: jobs, flows, calendars, locks |
//! | [`draft`] | jobs in the making |
//! | [`references`] | names that a document refers to and no document has |
//! | [`names`], [`shell`], [`times`], [`tree`], [`xml`], [`quartz_line`] | what several formats need |
//! | [`read`], [`write`] | the files |

pub(crate) mod controlm;
pub(crate) mod crontab;
pub(crate) mod document;
pub(crate) mod draft;
pub(crate) mod ics;
pub(crate) mod jil;
mod names;
pub(crate) mod quartz;
pub(crate) mod quartz_line;
pub(crate) mod read;
mod references;
pub(crate) mod rundeck;
pub(crate) mod shell;
pub(crate) mod systemd;
mod times;
mod tree;
pub(crate) mod write;
mod xml;

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::ids::StreamId;
use domain::job::{Definition, JobDefinition};
use domain::site::Thing;

use document::Document;

/// A file that was read.
#[derive(Debug, Clone)]
pub(crate) struct Text {
    /// Its name, for messages.
    pub(crate) file: Arc<str>,
    /// What it holds.
    pub(crate) text: String,
}

impl Text {
    #[cfg(test)]
    pub(crate) fn new(file: &str, text: &str) -> Self {
        Self { file: file.into(), text: text.to_owned() }
    }

    fn at(&self, line: usize) -> At {
        At { file: Arc::clone(&self.file), line }
    }
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct At {
    /// The file's name.
    pub(crate) file: Arc<str>,
    /// The line's number, from 1.
    pub(crate) line: usize,
}

/// A document, and where it comes from.
#[derive(Debug)]
pub(crate) struct Found {
    /// The line it begins at.
    pub(crate) at: At,
    /// What was made of it.
    pub(crate) what: Document,
    /// The definitions it stands for, once everything is settled.
    pub(crate) definitions: Vec<Definition>,
}

/// Something to know about a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Remark {
    /// The line.
    pub(crate) at: At,
    /// What stands there; may be empty.
    pub(crate) source: String,
    /// What to know.
    pub(crate) text: String,
}

/// What became of the files.
#[derive(Debug, Default)]
pub(crate) struct Imported {
    /// The documents, in order.
    pub(crate) found: Vec<Found>,
    /// What is in none of them, and why.
    pub(crate) left_out: Vec<Remark>,
    /// What a person should know about lines that were taken over.
    pub(crate) notes: Vec<Remark>,
    /// What of the notes was said: the same of one line is said once, also where several jobs are made of it.
    said: BTreeSet<(Arc<str>, usize, String)>,
}

impl Imported {
    fn leave_out(&mut self, at: &At, source: impl Into<String>, reason: impl Into<String>) {
        let remark = Remark { at: at.clone(), source: source.into(), text: reason.into() };
        self.left_out.push(remark);
    }

    fn note(&mut self, at: &At, text: impl Into<String>) {
        let text = text.into();
        if self.said.insert((Arc::clone(&at.file), at.line, text.clone())) {
            self.notes.push(Remark { at: at.clone(), source: String::new(), text });
        }
    }

    fn job(&mut self, at: &At, job: JobDefinition) {
        self.add(at, Document::Job(Box::new(job)));
    }

    fn thing(&mut self, at: &At, thing: Thing) {
        self.add(at, Document::Thing(thing));
    }

    fn add(&mut self, at: &At, what: Document) {
        self.found.push(Found { at: at.clone(), what, definitions: Vec::new() });
    }

    /// Leaves out what no file of definitions may say, notes names that nothing has, and puts remarks into the order
    /// of their lines.
    pub(crate) fn settle(&mut self) {
        let mut names: BTreeSet<StreamId> = BTreeSet::new();
        for found in std::mem::take(&mut self.found) {
            let definitions = found.what.definitions().and_then(|definitions| {
                let mut double = definitions.iter().filter(|d| names.contains(&d.stream()));
                match double.next() {
                    Some(d) => Err(format!("another {} is called {} already", d.word(), d.name())),
                    None => Ok(definitions),
                }
            });
            match definitions {
                Ok(definitions) => {
                    names.extend(definitions.iter().map(Definition::stream));
                    self.found.push(Found { definitions, ..found });
                }
                Err(problems) => {
                    let source = format!("{} {}", found.what.kind(), found.what.name());
                    self.leave_out(&found.at, source, problems);
                }
            }
        }
        references::note_missing(self);
        for remarks in [&mut self.left_out, &mut self.notes] {
            let mut files: Vec<Arc<str>> = Vec::new();
            for remark in remarks.iter().filter(|remark| !remark.at.file.is_empty()) {
                if !files.contains(&remark.at.file) {
                    files.push(Arc::clone(&remark.at.file));
                }
            }
            let place = |file: &Arc<str>| files.iter().position(|known| known == file);
            remarks.sort_by_key(|remark| (place(&remark.at.file), remark.at.line));
        }
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) mod testing {
    //! What tests of formats ask of an import.

    use domain::job::JobDefinition;

    use super::document::Document;
    use super::{Imported, Remark};

    impl Imported {
        /// The jobs, in order.
        pub(crate) fn jobs(&self) -> Vec<&JobDefinition> {
            let jobs = self.found.iter().filter_map(|found| match &found.what {
                Document::Job(job) => Some(&**job),
                Document::Flow(_) | Document::Thing(_) => None,
            });
            jobs.collect()
        }

        /// The one job.
        #[track_caller]
        pub(crate) fn only(&self) -> &JobDefinition {
            let jobs = self.jobs();
            assert_eq!(jobs.len(), 1, "{self:#?}");
            jobs[0]
        }

        /// Names of all documents, in order.
        pub(crate) fn names(&self) -> Vec<&str> {
            self.found.iter().map(|found| found.what.name()).collect()
        }

        #[track_caller]
        pub(crate) fn has_left_out(&self, line: usize, reason: &str) {
            assert_said(&self.left_out, line, reason);
        }

        #[track_caller]
        pub(crate) fn has_noted(&self, line: usize, text: &str) {
            assert_said(&self.notes, line, text);
        }

        /// Lines of what is left out, in order.
        pub(crate) fn lines_left_out(&self) -> Vec<usize> {
            self.left_out.iter().map(|left| left.at.line).collect()
        }
    }

    #[track_caller]
    fn assert_said(remarks: &[Remark], line: usize, text: &str) {
        let said =
            remarks.iter().any(|remark| remark.at.line == line && remark.text.contains(text));
        assert!(said, "line {line}: {text:?} in {remarks:#?}");
    }
}
