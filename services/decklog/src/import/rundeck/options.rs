//! Options of a job, and the texts that name them.

use std::collections::BTreeMap;

use domain::job::JobDefinition;
use serde_json::{Value, json};

use super::Refusal;
use crate::import::tree::Tree;
use crate::import::{At, Imported};

/// The variable that holds an option, as Rundeck itself names it.
pub(super) fn variable(option: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("RD_OPTION_{}", option.chars().map(plain).collect::<String>())
}

/// Gives a job the parameters and secrets that its options are.
pub(super) fn put(
    job: &mut JobDefinition,
    tree: &Tree,
    at: &At,
    imported: &mut Imported,
) -> Result<(), Refusal> {
    let Some(options) = tree.get("options") else { return Ok(()) };
    for (name, option) in named(options) {
        let at = At { line: option.line, ..at.clone() };
        if option.text_at("type") == Some("file") {
            return Err((option.line, format!("option {name} is a file that somebody uploads")));
        }
        if option.flag_at("secure") == Some(true) {
            secret(job, &name, option, &at, imported);
            continue;
        }
        let parameter = parameter(&name, option);
        let parameter =
            serde_json::from_value(parameter).map_err(|e| (option.line, e.to_string()))?;
        job.parameters.insert(parameter_name(&name), parameter);
        note(&name, option, &at, imported);
    }
    Ok(())
}

/// Options are a list with names, in old exports a map of them.
fn named(options: &Tree) -> Vec<(String, &Tree)> {
    let of_list =
        options.list().iter().map(|o| (o.text_at("name").unwrap_or_default().to_owned(), o));
    let of_map = options.entries().iter().filter(|(name, _)| name != "preserveOrder");
    of_list.chain(of_map.map(|(name, option)| (name.clone(), option))).collect()
}

fn parameter_name(option: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = option.chars().map(plain).collect();
    if domain::job::parameters::is_parameter(&name) { name } else { format!("option-{name}") }
}

fn parameter(name: &str, option: &Tree) -> Value {
    let required = option.flag_at("required") == Some(true);
    let default = option.text_at("value");
    let choices =
        if option.flag_at("enforced") == Some(true) { values(option) } else { Vec::new() };
    let mut says: BTreeMap<&str, Value> = BTreeMap::new();
    says.insert("env", json!(variable(name)));
    if let Some(description) = option.text_at("description") {
        says.insert("description", json!(description));
    }
    // What nobody gives is empty there, and not set at all only where it is required.
    let default = default.or_else(|| (!required).then_some(""));
    if let Some(default) = default {
        says.insert("default", json!(default));
    }
    if !choices.is_empty() {
        let mut choices = choices;
        choices.extend(default.filter(|d| !choices.iter().any(|c| c == d)).map(str::to_owned));
        says.insert("type", json!("choice"));
        says.insert("choices", json!(choices));
    }
    json!(says)
}

fn values(option: &Tree) -> Vec<String> {
    let Some(values) = option.get("values") else { return Vec::new() };
    let of_text = values.text().into_iter().flat_map(|text| text.split(',')).map(str::trim);
    values.list().iter().filter_map(Tree::text).chain(of_text).map(str::to_owned).collect()
}

fn secret(job: &mut JobDefinition, name: &str, option: &Tree, at: &At, imported: &mut Imported) {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let credential: String = name.chars().map(plain).collect();
    job.secrets.insert(variable(name), format!("credential:{credential}"));
    let from = option.text_at("storagePath").map(|path| format!(" (it was {path})"));
    let text = format!(
        "option {name} is a secret{}: give the host's executor the credential {credential}, or say in `secrets` where it is",
        from.unwrap_or_default()
    );
    imported.note(at, text);
}

fn note(name: &str, option: &Tree, at: &At, imported: &mut Imported) {
    const NOT_CARRIED: [&str; 6] = [
        "regex",
        "valuesUrl",
        "multivalued",
        "optionValuesPluginType",
        "configRemoteUrl",
        "isDate",
    ];
    for part in NOT_CARRIED.iter().filter(|part| option.text_at(part).is_some_and(|t| t != "false"))
    {
        imported.note(at, format!("option {name}: {part} is not carried, any text is taken"));
    }
}

/// A text in which options are named, for a shell.
pub(super) struct Texts<'a> {
    pub(super) job: &'a str,
    pub(super) group: &'a str,
}

impl Texts<'_> {
    /// A command: `${option.name}` is replaced.
    pub(super) fn command(&self, text: &str) -> Result<String, String> {
        self.replace(text, "${", "}")
    }

    /// A script: `@option.name@` is replaced.
    pub(super) fn script(&self, text: &str) -> Result<String, String> {
        self.replace(text, "@", "@")
    }

    fn replace(&self, text: &str, open: &str, close: &str) -> Result<String, String> {
        let (mut replaced, mut rest) = (String::with_capacity(text.len()), text);
        while let Some((before, after)) = rest.split_once(open) {
            replaced.push_str(before);
            let named = after.split_once(close).filter(|(name, _)| is_reference(name));
            match named {
                Some((name, behind)) => {
                    replaced.push_str(&self.value(name, &replaced)?);
                    rest = behind;
                }
                None => {
                    replaced.push_str(open);
                    rest = after;
                }
            }
        }
        replaced.push_str(rest);
        Ok(replaced)
    }

    fn value(&self, name: &str, before: &str) -> Result<String, String> {
        let option = name.strip_prefix("option.").or_else(|| name.strip_prefix("unquotedoption."));
        if let Some(option) = option {
            let variable = variable(option);
            return Ok(match open_quote(before) {
                None => format!("\"${{{variable}}}\""),
                Some('"') => format!("${{{variable}}}"),
                Some(_) => format!("'\"${{{variable}}}\"'"),
            });
        }
        match name {
            "job.name" => Ok(self.job.to_owned()),
            "job.group" => Ok(self.group.to_owned()),
            other => Err(format!("it uses `{other}`, which nothing here stands for")),
        }
    }
}

/// `option.month`, `job.name`, `node.hostname`; a shell's own variables have no dot.
fn is_reference(name: &str) -> bool {
    const CONTEXTS: [&str; 8] =
        ["option", "unquotedoption", "job", "node", "globals", "data", "execution", "export"];
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    name.split_once('.')
        .is_some_and(|(context, rest)| CONTEXTS.contains(&context) && !rest.is_empty())
        && name.bytes().all(allowed)
}

/// The quote that is open at the end of a text, as a shell reads it.
fn open_quote(text: &str) -> Option<char> {
    let mut open = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (letter, open) {
            ('\\', None | Some('"')) => drop(letters.next()),
            (quote @ ('"' | '\''), None) => open = Some(quote),
            (quote, Some(mark)) if quote == mark => open = None,
            (_, _) => {}
        }
    }
    open
}
