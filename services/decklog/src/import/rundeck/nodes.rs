//! On which nodes a job of Rundeck runs.

use domain::job::{Hosts, JobDefinition, Values};

use super::Refusal;
use crate::import::tree::Tree;
use crate::import::{At, Imported};

/// Gives a job the hosts its filter names.
pub(super) fn put(
    job: &mut JobDefinition,
    tree: &Tree,
    at: &At,
    imported: &mut Imported,
) -> Result<(), Refusal> {
    let Some(filters) = tree.get("nodefilters") else { return Ok(()) };
    let at = At { line: filters.line_of("filter"), ..at.clone() };
    let Some(filter) = filters.text_at("filter") else {
        return Err((filters.line, REFUSED.to_owned()));
    };
    match parse(filter) {
        Some(Filter::All) => job.hosts = Hosts::All,
        Some(Filter::Host(name)) => job.host = Some(name),
        Some(Filter::Tags(tags)) => {
            let list = tags.join(" or tag=");
            let text = format!(
                "hosts are selected by labels: give those meant by `{filter}` the label tag={list}"
            );
            imported.note(&at, text);
            job.select.insert("tag".to_owned(), Values(tags));
            job.hosts = Hosts::All;
        }
        None => return Err((at.line, format!("`{filter}`: {REFUSED}"))),
    }
    let threads = filters.get("dispatch").and_then(|dispatch| dispatch.text_at("threadcount"));
    if job.hosts == Hosts::All && threads.is_some_and(|count| count != "1") {
        imported.note(&at, "threadcount is not carried: all hosts run it at once");
    }
    Ok(())
}

const REFUSED: &str = "only a filter for one name, for tags or for all nodes can be carried: say in the job which host or pool is meant";

enum Filter {
    All,
    Host(String),
    Tags(Vec<String>),
}

fn parse(filter: &str) -> Option<Filter> {
    let (key, value) = match filter.split_once(':') {
        Some((key, value)) => (key.trim(), value.trim()),
        None => ("name", filter.trim()),
    };
    if value == ".*" && key == "name" {
        return Some(Filter::All);
    }
    let plain = |text: &str| {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        !text.is_empty() && text.bytes().all(allowed)
    };
    match key {
        "name" | "nodename" => {
            let name = value.to_lowercase();
            domain::ids::is_name(&name).then_some(Filter::Host(name))
        }
        "tags" => {
            let tags: Vec<&str> = value.split([',', '|']).map(str::trim).collect();
            let all = tags.iter().all(|tag| plain(tag));
            all.then(|| Filter::Tags(tags.into_iter().map(str::to_owned).collect()))
        }
        _ => None,
    }
}
