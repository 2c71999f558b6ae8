//! A command as one line and the shell that reads it.

use domain::job::JobDefinition;

use crate::import::shell;

/// What stands in a line.
pub(super) struct Line {
    pub(super) shell: String,
    /// What the shell reads.
    pub(super) text: String,
    /// What the command reads; it ends with a newline.
    pub(super) stdin: Option<String>,
}

/// Cron's shell where nothing else is said.
pub(super) const SHELL: &str = "/bin/sh";

pub(super) fn of(job: &JobDefinition) -> Result<Line, String> {
    let command = &job.command;
    let (shell, mut text) = match (command.argv.as_deref(), &command.script) {
        (Some([shell, flag, text]), _) if flag == "-c" && is_path_of_shell(shell) => {
            (shell.clone(), text.clone())
        }
        (Some(argv), _) => (SHELL.to_owned(), shell::line(argv)),
        (None, Some(script)) => (SHELL.to_owned(), scripted(&command.interpreter, script)?),
        (None, None) => return Err("it has no command".to_owned()),
    };
    if let Some(cwd) = &command.cwd {
        text = format!("cd {} && exec {}", shell::quote(cwd), shell::line(&[&shell, "-c", &text]));
    }
    let stdin = command.stdin.clone().filter(|text| !text.is_empty()).map(|mut text| {
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text
    });
    if text.contains(['\n', '\r']) {
        return Err("its command has several lines, and a crontab has one".to_owned());
    }
    let all = [Some(&text), stdin.as_ref()];
    let env = command.env.values().map(Some);
    if all.into_iter().chain(env).flatten().any(|text| has_token(text)) {
        return Err("its command holds tokens in double braces, which a crontab does not replace"
            .to_owned());
    }
    Ok(Line { shell, text, stdin })
}

fn is_path_of_shell(program: &str) -> bool {
    program.starts_with('/') && shell::is_shell(program)
}

fn scripted(interpreter: &[String], script: &str) -> Result<String, String> {
    if !interpreter.first().is_some_and(|program| shell::is_shell(program)) {
        return Err("it is a script that no shell reads: put it into a file".to_owned());
    }
    let mut words: Vec<&str> = interpreter.iter().map(String::as_str).collect();
    words.extend(["-c", script.trim_end()]);
    Ok(shell::line(&words))
}

/// The tokens that stand for something without a parameter.
fn has_token(text: &str) -> bool {
    ["{{job}}", "{{run}}", "{{attempt}}", "{{occurrence}}", "{{business-date"]
        .iter()
        .any(|token| text.contains(token))
}

/// Input as it stands after the command: `%` begins each of its lines.
pub(super) fn input(stdin: &str) -> String {
    let lines = stdin.strip_suffix('\n').unwrap_or(stdin);
    lines.split('\n').map(|line| format!("%{}", line.replace('%', "\\%"))).collect()
}
