//! The sequence of a job.

use domain::job::Command;
use serde_json::Value;

use super::Refusal;
use super::options::Texts;
use crate::import::draft;
use crate::import::shell;
use crate::import::tree::Tree;

/// What a job does.
pub(super) enum Steps {
    /// Commands and scripts.
    Commands(Vec<Step>),
    /// Other jobs.
    Jobs(Vec<JobRef>),
}

/// A command or a script.
pub(super) struct Step {
    line: usize,
    text: String,
    /// What runs it; `None` for a command, which a shell reads.
    interpreter: Option<Vec<String>>,
    args: Option<String>,
}

/// Another job.
pub(super) struct JobRef {
    pub(super) line: usize,
    /// Its group and name.
    pub(super) path: String,
    /// Its id, where the step names it by that.
    pub(super) id: Option<String>,
}

/// Reads a sequence.
pub(super) fn read(job: &Tree) -> Result<Steps, Refusal> {
    let sequence = job.get("sequence").ok_or_else(|| (job.line, "it has no steps".to_owned()))?;
    let commands = sequence.get("commands").map(Tree::list).unwrap_or_default();
    if commands.is_empty() {
        return Err((sequence.line, "it has no steps".to_owned()));
    }
    let refs = commands.iter().filter(|step| step.get("jobref").is_some()).count();
    if refs == commands.len() {
        return commands.iter().map(job_ref).collect::<Result<_, _>>().map(Steps::Jobs);
    }
    commands.iter().map(step).collect::<Result<_, _>>().map(Steps::Commands)
}

/// Whether it goes on after a step that failed.
pub(super) fn keeps_going(job: &Tree) -> bool {
    job.get("sequence").and_then(|sequence| sequence.flag_at("keepgoing")) == Some(true)
}

fn job_ref(step: &Tree) -> Result<JobRef, Refusal> {
    refuse_handler(step)?;
    let Some(job) = step.get("jobref") else { return Err((step.line, String::new())) };
    let refuse = |part: &str, why: &str| Err((job.line_of(part), why.to_owned()));
    if job.text_at("args").is_some() {
        return refuse(
            "args",
            "a step that runs another job with arguments cannot be carried: give that job defaults",
        );
    }
    if job.get("nodefilters").is_some() {
        return refuse(
            "nodefilters",
            "a step that runs another job on other nodes cannot be carried",
        );
    }
    if job.text_at("project").is_some() {
        return refuse("project", "a step that runs a job of another project cannot be carried");
    }
    let name = job.text_at("name").unwrap_or_default();
    let path = super::path(job.text_at("group"), name);
    Ok(JobRef { line: job.line, path, id: job.text_at("uuid").map(str::to_owned) })
}

fn refuse_handler(step: &Tree) -> Result<(), Refusal> {
    match step.get("errorhandler") {
        Some(handler) => Err((
            handler.line,
            "a step with an error handler cannot be carried: write it as a script".to_owned(),
        )),
        None => Ok(()),
    }
}

fn step(step: &Tree) -> Result<Step, Refusal> {
    refuse_handler(step)?;
    let args = step.text_at("args").map(str::to_owned);
    if let Some(exec) = step.get("exec") {
        let text = exec.text().unwrap_or_default().trim().to_owned();
        return Ok(Step { line: exec.line, text, interpreter: None, args: None });
    }
    if let Some(script) = step.get("script") {
        let text = script.text().unwrap_or_default().to_owned();
        let interpreter = Some(interpreter(step, &text));
        return Ok(Step { line: script.line, text, interpreter, args });
    }
    let (part, why) = match step
        .entries()
        .iter()
        .map(|(name, _)| name.as_str())
        .find(|n| !n.contains("escription"))
    {
        Some("jobref") => (
            "jobref",
            "a sequence that mixes other jobs with commands cannot be carried: make a job of the commands",
        ),
        Some("scriptfile") => (
            "scriptfile",
            "a script in a file on the server cannot be carried: name the file on the host that runs it",
        ),
        Some("scripturl") => (
            "scripturl",
            "a script behind an address cannot be carried: what it says may change without approval",
        ),
        _ => ("type", "a step of a plugin cannot be carried"),
    };
    Err((step.line_of(part), why.to_owned()))
}

/// What the step names, what the script's first line names, or the usual shell.
fn interpreter(step: &Tree, script: &str) -> Vec<String> {
    let named = step.text_at("scriptInterpreter");
    let first = script.trim_start().lines().next().and_then(|line| line.strip_prefix("#!"));
    let words = named.or(first).unwrap_or("/bin/sh").trim();
    words.split_whitespace().map(str::to_owned).collect()
}

/// The command that runs the steps one after another.
pub(super) fn command(
    steps: &[Step],
    keep_going: bool,
    texts: &Texts<'_>,
) -> Result<Value, Refusal> {
    if let [only] = steps {
        return single(only, texts);
    }
    let shell = common_shell(steps)?;
    let mut text = String::new();
    for step in steps {
        let body = body(step, texts)?;
        let after = if keep_going { "failed=$?" } else { "exit $?" };
        text.push_str(&format!("(\n{}\n) || {after}\n", body.trim_end()));
    }
    if keep_going {
        text.push_str("exit \"${failed:-0}\"\n");
    }
    Ok(draft::script(&text, &[shell]))
}

fn single(step: &Step, texts: &Texts<'_>) -> Result<Value, Refusal> {
    let body = body(step, texts)?;
    Ok(match &step.interpreter {
        None => draft::shell(&body),
        Some(interpreter) => draft::script(&body, interpreter),
    })
}

fn body(step: &Step, texts: &Texts<'_>) -> Result<String, Refusal> {
    let refuse = |why: String| (step.line, why);
    let Some(interpreter) = &step.interpreter else {
        return texts.command(&step.text).map_err(refuse);
    };
    let is_shell = interpreter.first().is_some_and(|program| shell::is_shell(program));
    let text = texts.script(&step.text).map_err(refuse)?;
    if !is_shell && (text != step.text || step.args.is_some()) {
        let why = "a script that is no shell's and takes options as `@option@` or arguments cannot be carried: read RD_OPTION_… from its environment";
        return Err(refuse(why.to_owned()));
    }
    match &step.args {
        None => Ok(text),
        Some(args) => Ok(format!("set -- {}\n{text}", texts.command(args).map_err(refuse)?)),
    }
}

/// The shell that can run all steps.
fn common_shell(steps: &[Step]) -> Result<String, Refusal> {
    let mut common = "/bin/sh".to_owned();
    for step in steps {
        let Some(words) = &step.interpreter else { continue };
        let own = match words.as_slice() {
            [program] if shell::is_shell(program) => program.clone(),
            [env, program] if env.ends_with("/env") && shell::is_shell(program) => program.clone(),
            _ => {
                let why = "several steps of which one is no plain script of a shell cannot be carried: make a job of each";
                return Err((step.line, why.to_owned()));
            }
        };
        let is_sh = |program: &str| program.rsplit('/').next() == Some("sh");
        if is_sh(&common) {
            common = own;
        } else if !is_sh(&own) && own != common {
            let why = format!(
                "steps for {common} and for {own} cannot be carried together: make a job of each"
            );
            return Err((step.line, why));
        }
    }
    Ok(common)
}

/// Variables of Rundeck's that a command reads and nobody sets here.
pub(super) fn unset_variables(command: &Command) -> Vec<&'static str> {
    const OTHERS: [&str; 4] = ["RD_JOB_", "RD_NODE_", "RD_CONFIG_", "RD_GLOBALS_"];
    let texts = || command.argv.iter().flatten().chain(&command.script);
    OTHERS.into_iter().filter(|name| texts().any(|text| text.contains(name))).collect()
}
