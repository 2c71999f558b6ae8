//! The stored form of every event that was ever written. These files are evidence: they are added to, and never
//! changed. Nothing here writes them.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use domain::canonical::{Digest, hex, unhex};
use domain::envelope::Envelope;
use domain::event::{Event, EventError};
use domain::keys::SecretKey;
use domain::leaf::Leaf;
use serde_json::{Map, Value, json};

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// One example body.
struct Golden {
    file: String,
    kind: String,
    schema: u32,
    /// Empty for the full example, `minimal` for the one without optional fields, or a variant's word.
    flavour: String,
    body: Value,
}

/// `run.due.1.minimal.json` is kind `run.due`, schema 1, flavour `minimal`.
fn read_name(file: &str) -> Option<(String, u32, String)> {
    let parts: Vec<&str> = file.strip_suffix(".json")?.splitn(4, '.').collect();
    let [family, word, schema, flavour @ ..] = parts.as_slice() else { return None };
    let flavour = flavour.first().copied().unwrap_or_default();
    Some((format!("{family}.{word}"), schema.parse().ok()?, flavour.to_owned()))
}

fn goldens() -> Vec<Golden> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory()).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            continue;
        }
        let file = entry.file_name().into_string().unwrap();
        let (kind, schema, flavour) =
            read_name(&file).unwrap_or_else(|| panic!("{file}: not <kind>.<schema>[.<word>].json"));
        let body = serde_json::from_str(&fs::read_to_string(entry.path()).unwrap()).unwrap();
        found.push(Golden { file, kind, schema, flavour, body });
    }
    assert!(!found.is_empty());
    found
}

fn read(golden: &Golden, body: &Value) -> Result<Event, EventError> {
    Event::read(&golden.kind, golden.schema, body)
}

/// Every object of a body, as a path to it; what a person wrote into a job is not looked into.
fn objects(body: &Value) -> Vec<String> {
    fn walk(value: &Value, path: &str, found: &mut Vec<String>) {
        let Some(map) = value.as_object() else { return };
        found.push(path.to_owned());
        for (key, value) in map {
            let opaque = key == "definition" && value.get("name").is_some();
            if !opaque {
                walk(value, &format!("{path}/{key}"), found);
            }
        }
    }
    let mut found = Vec::new();
    walk(body, "", &mut found);
    found
}

fn object<'a>(body: &'a mut Value, path: &str) -> &'a mut Map<String, Value> {
    body.pointer_mut(path).unwrap().as_object_mut().unwrap()
}

/// Every key of a body, each with the path to its object.
fn keys(body: &Value) -> BTreeSet<(String, String)> {
    let keys = |path: String| {
        let map = body.pointer(&path).unwrap().as_object().unwrap();
        map.keys().map(|key| (path.clone(), key.clone())).collect::<Vec<_>>()
    };
    objects(body).into_iter().flat_map(keys).collect()
}

fn without(body: &Value, path: &str, key: &str) -> Value {
    let mut body = body.clone();
    object(&mut body, path).remove(key).unwrap();
    body
}

#[test]
fn every_kind_and_version_has_a_golden_file_and_every_file_a_kind() {
    let written: BTreeSet<_> = goldens()
        .into_iter()
        .filter(|golden| golden.flavour.is_empty())
        .map(|golden| (golden.kind, golden.schema))
        .collect();
    let known: BTreeSet<_> =
        Event::kinds().map(|(kind, schema)| (kind.to_owned(), schema)).collect();
    let without_file: Vec<_> = known.difference(&written).collect();
    assert!(without_file.is_empty(), "write an example by hand: {without_file:?}");
    for golden in goldens() {
        let schemas: Vec<u32> =
            known.iter().filter(|(kind, _)| *kind == golden.kind).map(|(_, s)| *s).collect();
        assert!(schemas.iter().any(|s| golden.schema <= *s), "{}: no such kind", golden.file);
    }
}

#[test]
fn a_golden_body_is_written_as_it_was_read() {
    for golden in goldens() {
        let event = read(&golden, &golden.body).unwrap_or_else(|e| panic!("{}: {e}", golden.file));
        assert_eq!(event.kind(), golden.kind, "{}", golden.file);
        assert_eq!(event.body().unwrap(), golden.body, "{}", golden.file);
    }
}

#[test]
fn an_unknown_key_is_refused_wherever_it_stands() {
    for golden in goldens() {
        for path in objects(&golden.body) {
            let mut body = golden.body.clone();
            object(&mut body, &path).insert("zeal".to_owned(), json!(1));
            let read = read(&golden, &body);
            assert!(
                matches!(read, Err(EventError::Body { .. })),
                "{} {path}: {read:?}",
                golden.file
            );
        }
    }
}

#[test]
fn a_value_has_one_spelling_so_null_stands_for_no_absent_field() {
    for golden in goldens().iter().filter(|golden| golden.flavour == "minimal") {
        let full = goldens().into_iter().find(|g| g.kind == golden.kind && g.flavour.is_empty());
        for (path, key) in keys(&full.unwrap().body).difference(&keys(&golden.body)) {
            let mut body = golden.body.clone();
            let Some(Value::Object(map)) = body.pointer_mut(path) else { continue };
            map.insert(key.clone(), Value::Null);
            assert!(read(golden, &body).is_err(), "{} {path}/{key}", golden.file);
        }
    }
}

#[test]
fn a_missing_required_key_is_refused_and_an_optional_one_is_not() {
    let goldens = goldens();
    let mut minimal = BTreeMap::new();
    for golden in &goldens {
        if golden.flavour.is_empty() {
            minimal.entry(golden.kind.clone()).or_insert(golden);
        } else if golden.flavour == "minimal" {
            minimal.insert(golden.kind.clone(), golden);
        }
    }
    for golden in minimal.values() {
        for (path, key) in keys(&golden.body) {
            let body = without(&golden.body, &path, &key);
            assert!(read(golden, &body).is_err(), "{} without {path}/{key}", golden.file);
        }
    }
    for golden in goldens.iter().filter(|golden| golden.flavour.is_empty()) {
        let required = keys(&minimal[&golden.kind].body);
        for (path, key) in keys(&golden.body) {
            let here = |key: &str| required.contains(&(path.clone(), key.to_owned()));
            let absent = minimal[&golden.kind].body.pointer(&path).is_none();
            // What stands inside something optional is required there, but for what is named here.
            let optional = ["output", "killed", "after"].contains(&key.as_str());
            if here(&key) || (absent && !optional) || path == "/reason" || path.ends_with("/end") {
                continue;
            }
            let body = without(&golden.body, &path, &key);
            let event = read(golden, &body);
            assert_eq!(event.unwrap().body().unwrap(), body, "{} {path}/{key}", golden.file);
        }
    }
}

fn format_file(name: &str) -> String {
    fs::read_to_string(directory().join("format").join(name)).unwrap().split_whitespace().collect()
}

fn golden_envelope() -> Vec<u8> {
    let text = fs::read_to_string(directory().join("format/envelope.json")).unwrap();
    text.strip_suffix('\n').unwrap().as_bytes().to_vec()
}

/// The three files were made by a program in another language from the description of the format alone.
#[test]
fn the_golden_envelope_is_read_and_written_byte_for_byte() {
    let bytes = golden_envelope();
    let envelope = Envelope::parse(&bytes).unwrap();
    assert_eq!(envelope.to_bytes().unwrap(), bytes);
    assert_eq!(envelope.id.to_string(), "01939c1e-5f00-7000-8000-000000000001");
    assert_eq!((envelope.version, envelope.pseq), (2, 9025));
    assert_eq!(envelope.pprev, Digest::of(b"the envelope before"));
    assert_eq!(envelope.event().unwrap().kind(), "run.started");
}

#[test]
fn the_golden_leaf_is_made_of_the_envelope_its_time_and_its_signature() {
    let envelope = golden_envelope();
    let key = SecretKey::from_seed(&[7; 32]);
    let received = "2026-11-20T07:30:00.301Z".parse().unwrap();
    let leaf = Leaf { received, seals: vec![key.sign(&envelope)], envelope };
    assert_eq!(hex(&leaf.to_bytes()), format_file("leaf.hex"));
    let read = Leaf::from_bytes(&unhex(&format_file("leaf.hex")).unwrap()).unwrap();
    assert_eq!(read, leaf);
    assert_eq!(key.public().verify(&read.envelope, &read.seals[0]), Ok(()));
}

#[test]
fn the_golden_leaf_hash_is_that_of_rfc_6962() {
    let leaf = unhex(&format_file("leaf.hex")).unwrap();
    let hash = Digest::of(&[&[0_u8][..], &leaf].concat());
    assert_eq!(hash.to_string(), format_file("leaf-hash.hex"));
}
