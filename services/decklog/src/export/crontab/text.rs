//! The file: entries in an order in which variables need not be taken back, with what must be set before each.

use std::collections::BTreeMap;

use super::{Entry, Exported, command};

/// What is in force at a line of a crontab.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    zone: Option<String>,
    shell: Option<String>,
    env: BTreeMap<String, String>,
}

impl Settings {
    /// The lines that bring in force what an entry needs. Where the machine's zone holds, none is named.
    pub(super) fn change_to(
        &mut self,
        entry: &Entry,
        machine_zone: &str,
    ) -> Result<String, String> {
        let mut lines = String::new();
        let zone = self.zone.as_deref().unwrap_or(machine_zone);
        if zone != entry.zone {
            lines.push_str(&format!("CRON_TZ={}\n", entry.zone));
            self.zone = Some(entry.zone.clone());
        }
        if self.shell.as_deref().unwrap_or(command::SHELL) != entry.shell {
            lines.push_str(&assignment("SHELL", &entry.shell)?);
            self.shell = Some(entry.shell.clone());
        }
        for (name, value) in &entry.env {
            if self.env.get(name) != Some(value) {
                lines.push_str(&assignment(name, value)?);
                self.env.insert(name.clone(), value.clone());
            }
        }
        Ok(lines)
    }

    /// Variables in force that an entry does not have: a crontab cannot take them back.
    fn too_many<'a>(&'a self, entry: &Entry) -> Vec<&'a str> {
        let kept = self.env.keys().filter(|name| !entry.env.contains_key(*name));
        kept.map(String::as_str).collect()
    }
}

/// `NAME=value`, in quotes where cron would change it.
fn assignment(name: &str, value: &str) -> Result<String, String> {
    let refuse = || format!("variable {name} cannot be written in a crontab");
    if matches!(name, "CRON_TZ" | "RANDOM_DELAY") || value.contains(['\n', '\r']) {
        return Err(refuse());
    }
    Ok(format!("{}={}\n", quoted(name).ok_or_else(refuse)?, quoted(value).ok_or_else(refuse)?))
}

fn quoted(text: &str) -> Option<String> {
    let blank = |c: char| c.is_ascii_whitespace();
    let bare = !text.is_empty()
        && !text.starts_with(['\'', '"', '#'])
        && !text.starts_with(blank)
        && !text.ends_with(blank);
    if bare {
        return Some(text.to_owned());
    }
    let quote = ['"', '\''].into_iter().find(|quote| !text.contains(*quote))?;
    Some(format!("{quote}{text}{quote}"))
}

/// The whole file.
pub(crate) fn file(exported: &[Exported], machine_zone: &str) -> Result<String, String> {
    let mut entries: Vec<(&Exported, &Entry)> =
        exported.iter().filter_map(|one| Some((one, one.entry.as_ref()?))).collect();
    // The fewest variables first: they cannot be taken back.
    entries.sort_by_key(|(one, entry)| {
        (
            entry.env.len(),
            &entry.env,
            &entry.shell,
            entry.zone != machine_zone,
            &entry.zone,
            &one.job,
        )
    });
    let mut text = head(&entries, machine_zone);
    let mut settings = Settings::default();
    for (one, entry) in entries {
        text.push('\n');
        text.push_str(&comments(one));
        text.push_str(&settings.change_to(entry, machine_zone)?);
        let mut entry = entry.clone();
        let kept = settings.too_many(&entry);
        if !kept.is_empty() {
            entry.command = format!("unset {}; {}", kept.join(" "), entry.command);
        }
        text.push_str(&entry.line());
        text.push('\n');
    }
    for one in exported {
        if let Some(reason) = &one.left_out {
            text.push_str(&format!("\n# {} is left out: {}\n", one.job, one_line(reason)));
        }
    }
    Ok(text)
}

fn head(entries: &[(&Exported, &Entry)], machine_zone: &str) -> String {
    let mut text = format!("# {} jobs of Decklog, by `decklog export crontab`.\n", entries.len());
    if entries.iter().any(|(_, entry)| entry.zone != machine_zone) {
        text.push_str("# CRON_TZ is known to cronie; Debian's cron runs such lines at the machine's own time.\n");
    }
    text
}

fn comments(one: &Exported) -> String {
    let what =
        if one.description.is_empty() { String::new() } else { format!(": {}", one.description) };
    let mut text = format!("# {}{what}\n", one.job);
    if !one.lost.is_empty() {
        text.push_str(&format!("# not said here: {}\n", one_line(&one.lost.join("; "))));
    }
    text
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}
