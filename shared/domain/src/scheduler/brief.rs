//! A definition's text without what every definition says by default: a scheduler holds many, and reads
//! each when its time comes.

use std::sync::OnceLock;

use crate::job::{DefinitionText, JobDefinition};

/// The JSON text of a definition, or, where that gives the same text again, only its members that differ
/// from the defaults.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Brief {
    Whole(Box<str>),
    Members(Box<str>),
}

impl Brief {
    pub(super) fn of(text: &str) -> Self {
        let whole = || Self::Whole(text.into());
        let Some(members) = members(text) else { return whole() };
        let own: Vec<&str> = members
            .into_iter()
            .filter(|m| defaults().binary_search_by(|d| (**d).cmp(m)).is_err())
            .collect();
        let brief = Self::Members(own.join(",").into());
        if *brief.text() == *text { brief } else { whole() }
    }

    /// The text as it was.
    pub(super) fn text(&self) -> String {
        let own = match self {
            Self::Whole(text) => return text.to_string(),
            Self::Members(own) => format!("{{{own}}}"),
        };
        let own = members(&own).unwrap_or_default();
        let names: Vec<&str> = own.iter().map(|member| name(member)).collect();
        let others = defaults().iter().map(String::as_str).filter(|d| !names.contains(&name(d)));
        let mut all: Vec<&str> = own.iter().copied().chain(others).collect();
        all.sort_by(|a, b| name(a).cmp(name(b)));
        format!("{{{}}}", all.join(","))
    }

    pub(super) fn definition(&self) -> DefinitionText {
        DefinitionText::from_text(self.text())
    }
}

/// Members that definitions have by default, sorted.
fn defaults() -> &'static [String] {
    static DEFAULTS: OnceLock<Vec<String>> = OnceLock::new();
    DEFAULTS.get_or_init(|| {
        let plain = serde_json::json!({"name": "x", "command": {"argv": ["x"]}});
        let plain = serde_json::from_value::<JobDefinition>(plain).and_then(serde_json::to_value);
        let text = plain.map(|plain| plain.to_string()).unwrap_or_default();
        let mut members: Vec<String> =
            members(&text).unwrap_or_default().into_iter().map(str::to_owned).collect();
        members.retain(|member| !matches!(name(member), "name" | "command"));
        members.sort();
        members
    })
}

/// The name of a member, without quotes; names of definitions have no escapes.
fn name(member: &str) -> &str {
    member.get(1..).and_then(|rest| rest.split('"').next()).unwrap_or_default()
}

/// The members of an object's text without spaces, each with its name; nothing for anything else.
fn members(text: &str) -> Option<Vec<&str>> {
    let inner = text.strip_prefix('{')?.strip_suffix('}')?;
    let (mut found, mut begin, mut depth) = (Vec::new(), 0, 0_usize);
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in inner.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.checked_sub(1)?,
            b',' if depth == 0 => {
                found.push(inner.get(begin..at)?);
                begin = at + 1;
            }
            _ => {}
        }
    }
    found.push(inner.get(begin..)?);
    Some(found)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(value: serde_json::Value) -> String {
        let definition: JobDefinition = serde_json::from_value(value).unwrap();
        serde_json::to_value(definition).unwrap().to_string()
    }

    #[test]
    fn every_text_comes_back_as_it_was() {
        let plain = text(json!({"name": "a", "command": {"argv": ["/bin/true"]}}));
        let rich = text(json!({
            "name": "b", "command": {"argv": ["a,b}\\\"{", "é"]}, "schedule": {"cron": "0 2 * * *"},
            "late-after": "5m", "description": "a \"quoted\", text", "pool": "big",
        }));
        let mut odd = vec![plain.clone(), rich.clone()];
        odd.extend(
            ["", "{}", "[]", "null", "{\"a\":1}", "{\"z\":1,\"a\":[{}]}", "{ \"name\": 1 }"]
                .map(str::to_owned),
        );
        odd.push(plain.replacen("\"overlap\":\"skip\",", "", 1));
        odd.push(rich.replace(':', ": "));
        for text in odd {
            assert_eq!(Brief::of(&text).text(), text);
        }
        let Brief::Members(members) = Brief::of(&plain) else { panic!("kept whole") };
        assert!(members.len() * 3 < plain.len(), "{members}");
    }
}
