//! The handbook: its files are used, its commands are run, and its outputs are compared.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use testkit::wait;

use crate::programs::{READY, Up, decklog, run};

/// A fenced block of a page.
enum Block {
    /// A file, with its name.
    File(String),
    /// Commands, each with its output.
    Console(Vec<(String, String)>),
}

fn pages() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ops/handbook");
    let all = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut pages: Vec<PathBuf> =
        all.filter(|path| path.extension().is_some_and(|e| e == "md")).collect();
    pages.sort();
    pages
}

fn block(language: &str, text: &str) -> Option<Block> {
    match language {
        "yaml" | "crontab" => {
            Some(Block::File(text.lines().next()?.strip_prefix("# ")?.to_owned()))
        }
        "console" => {
            let mut commands: Vec<(String, String)> = Vec::new();
            for line in text.lines() {
                match (line.strip_prefix("$ "), commands.last_mut()) {
                    (Some(command), _) => commands.push((command.to_owned(), String::new())),
                    (None, Some((_, output))) => writeln!(output, "{line}").unwrap(),
                    (None, None) => panic!("an output without a command: {line}"),
                }
            }
            Some(Block::Console(commands))
        }
        _ => None,
    }
}

/// The words of a command line; what stands in single quotes is one.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in command.split('\'').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

/// What pages call the folder in which their commands run.
const FOLDER: &str = "/tmp/page";

/// What a command prints, in the folder of the page's files.
fn printed(command: &str, up: &Up, folder: &Path) -> String {
    let quiet = command.strip_suffix(" > /dev/null");
    let words = words(quiet.unwrap_or(command));
    let (program, arguments) = words.split_first().unwrap();
    assert_eq!(program, "decklog", "{command}");
    let mut command = decklog(arguments);
    command.current_dir(folder).env("DECKLOG_DATA", &up.data).env("TZ", "UTC");
    let said = run(&mut command);
    // A plan that changes something says so by its code.
    let wanted = if arguments.first().is_some_and(|first| first == "plan") { 10 } else { 0 };
    assert_eq!(said.code, wanted, "{}: {}", words.join(" "), said.err);
    let out = said.out.replace(&folder.display().to_string(), FOLDER);
    if quiet.is_some() { String::new() } else { out }
}

/// The new output; where a line of the old one has `[..]` for what differs from day to day, that line is kept.
fn kept(old: &str, new: &str) -> String {
    if old.lines().count() != new.lines().count() {
        return new.to_owned();
    }
    let line = |(old, new): (&str, &str)| {
        let same = old.split_once("[..]").is_some_and(|(head, tail)| {
            new.len() >= head.len() + tail.len() && new.starts_with(head) && new.ends_with(tail)
        });
        if same { format!("{old}\n") } else { format!("{new}\n") }
    };
    old.lines().zip(new.lines()).map(line).collect()
}

/// A page with the outputs of its commands.
fn done(page: &str, up: &Up, folder: &Path) -> String {
    let (mut out, mut rest) = (String::new(), page);
    while let Some((before, after)) = rest.split_once("```") {
        let (inside, after) = after.split_once("```").unwrap();
        let (language, text) = inside.split_once('\n').unwrap_or((inside, ""));
        out.push_str(before);
        out.push_str("```");
        match block(language, text) {
            Some(Block::Console(commands)) => {
                writeln!(out, "{language}").unwrap();
                for (command, old) in commands {
                    let new = printed(&command, up, folder);
                    write!(out, "$ {command}\n{}", kept(&old, &new)).unwrap();
                }
            }
            Some(Block::File(name)) => {
                let text = text.replace(FOLDER, &folder.display().to_string());
                std::fs::write(folder.join(name), text).unwrap();
                out.push_str(inside);
            }
            None => out.push_str(inside),
        }
        out.push_str("```");
        rest = after;
    }
    out + rest
}

#[test]
fn the_handbook_shows_what_its_commands_print() {
    for path in pages() {
        let dir = tempfile::tempdir().unwrap();
        let password = Path::new("correct horse battery staple");
        let env = [("TRY_PASSWORD", password)];
        let up = Up::start_with(&dir.path().join("data"), &[], &env);
        // A plan says that no host is there until this one has said that it is.
        let there = || up.call(&["host", "list"]).out.contains(" up ");
        wait::until("the host to be there", READY, there).unwrap();
        let page = std::fs::read_to_string(&path).unwrap();
        let now = done(&page, &up, dir.path());
        up.stop();
        if std::env::var_os("DECKLOG_BLESS").is_some() {
            std::fs::write(&path, now).unwrap();
        } else {
            assert_eq!(page, now, "{}: DECKLOG_BLESS=1 writes it anew", path.display());
        }
    }
}
