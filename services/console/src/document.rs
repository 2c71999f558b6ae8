//! The API's description (OpenAPI 3.1): what is generated from the handlers, with what all of them have in common.

use serde_json::{Map, Value, json};

use crate::api::repeated::KEY_CHARS;

/// The header by which whatever is said may be said with a key.
const KEY: &str = "Idempotency-Key";
/// What it does.
pub(crate) const KEY_SAYS: &str = "Makes a repetition safe: the same account, path, body and key get the first answer again, with \
    `Idempotency-Replayed: true`, and nothing is done twice. Kept for a day, until the console starts anew at most.";

/// Completes a generated description: problems are problems (RFC 9457), and whoever asks has a token.
pub(crate) fn complete(mut document: Value) -> Value {
    let open = ["/livez", "/readyz", "/metrics"];
    for (path, item) in fields(&mut document["paths"]) {
        if let Some(post) = item.get_mut("post") {
            name_key(post);
        }
        for operation in item.as_object_mut().into_iter().flat_map(Map::values_mut) {
            if !open.contains(&path.as_str()) {
                operation["security"] = json!([{"token": []}]);
            }
            for (_, response) in fields(&mut operation["responses"]) {
                name_problems(response);
            }
        }
    }
    document["components"]["securitySchemes"] = json!({"token": {
        "type": "http",
        "scheme": "bearer",
        "description": "A token of an account: `decklog user token create`, or console.token of the console's data directory."
    }});
    document
}

fn fields(value: &mut Value) -> impl Iterator<Item = (String, &mut Value)> {
    let map = value.as_object_mut();
    map.into_iter().flatten().map(|(name, value)| (name.clone(), value))
}

/// Whatever is said may be said with a key.
fn name_key(operation: &mut Value) {
    let key = json!({
        "name": KEY,
        "in": "header",
        "required": false,
        "description": KEY_SAYS,
        "schema": {"type": "string", "minLength": 1, "maxLength": KEY_CHARS, "pattern": "^[ -~]+$"}
    });
    match operation["parameters"].as_array_mut() {
        Some(parameters) => parameters.push(key),
        None => operation["parameters"] = json!([key]),
    }
}

/// What is a problem is not any JSON.
fn name_problems(response: &mut Value) {
    let Some(content) = response.get_mut("content").and_then(Value::as_object_mut) else { return };
    let is_problem = content
        .get("application/json")
        .is_some_and(|one| one["schema"]["$ref"] == "#/components/schemas/Problem");
    if is_problem && let Some(problem) = content.remove("application/json") {
        content.insert("application/problem+json".to_owned(), problem);
    }
}

/// An operation, as the page of the API shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Operation {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) summary: String,
    /// Name, place, and what it is; not the key, which all that say something have.
    pub(crate) parameters: Vec<(String, String, String)>,
    /// The schema of its body, as JSON.
    pub(crate) body: Option<String>,
    pub(crate) answers: Vec<String>,
}

/// All operations, in the order of their paths.
pub(crate) fn operations(document: &Value) -> Vec<Operation> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            found.push(operation_of(document, method, path, operation));
        }
    }
    found
}

fn operation_of(document: &Value, method: &str, path: &str, operation: &Value) -> Operation {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let parameter = |one: &Value| (text(&one["name"]), text(&one["in"]), text(&one["description"]));
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    let named = schema["$ref"].as_str().and_then(|path| path.strip_prefix('#'));
    let schema = named.and_then(|path| document.pointer(path)).unwrap_or(schema);
    let said = [text(&operation["summary"]), text(&operation["description"])];
    Operation {
        method: method.to_uppercase(),
        path: path.to_owned(),
        summary: said.iter().filter(|text| !text.is_empty()).cloned().collect::<Vec<_>>().join(" "),
        parameters: operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|one| one["name"] != KEY)
            .map(parameter)
            .collect(),
        body: (!schema.is_null()).then(|| serde_json::to_string_pretty(schema).unwrap_or_default()),
        answers: operation["responses"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(code, _)| code.clone())
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::openapi;

    /// What programs are written against changes only on purpose.
    #[test]
    fn what_stands_in_an_address_is_described_where_it_stands() {
        let document = openapi();
        for (path, item) in document["paths"].as_object().unwrap() {
            for operation in item.as_object().unwrap().values() {
                let parameters = operation["parameters"].as_array().into_iter().flatten();
                for one in parameters {
                    let name = one["name"].as_str().unwrap();
                    let in_path = path.contains(&format!("{{{name}}}"));
                    assert_eq!(one["in"] == "path", in_path, "{name} of {path}");
                    assert_eq!(one["required"] == true, in_path, "{name} of {path}");
                }
            }
        }
    }

    #[test]
    fn the_committed_description_is_the_one_that_is_generated() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
        let generated = serde_json::to_string_pretty(&openapi()).unwrap() + "\n";
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == generated,
            "the API has changed. Look at the difference: cargo run -p decklog -- openapi > services/console/openapi.json"
        );
    }

    #[test]
    fn every_operation_is_told_needs_a_token_and_answers_with_problems_that_are_named() {
        let document = openapi();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
        let all = operations(&document);
        assert!(all.len() > 70, "{}", all.len());
        for one in &all {
            assert!(!one.summary.is_empty() && !one.answers.is_empty(), "{one:?}");
            let item = &document["paths"][&one.path][one.method.to_lowercase()];
            let open = !one.path.starts_with("/api/");
            assert_eq!(item["security"].is_null(), open, "{}", one.path);
            if let Some(problem) = item["responses"]["4XX"]["content"].as_object() {
                assert!(problem.contains_key("application/problem+json"), "{}", one.path);
            }
        }
    }
}
