//! `compose.yaml` cannot be run where the tests run; so every command, variable, file and port in it is
//! held against the programs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::programs::{decklog, executor, run};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn services() -> BTreeMap<String, Value> {
    let text = std::fs::read_to_string(root().join("compose.yaml")).unwrap();
    let compose: Value = serde_saphyr::from_str(&text).unwrap();
    let services = compose["services"].as_object().unwrap();
    let shared = &compose["x-decklog"];
    let with_shared = |(name, service): (&String, &Value)| {
        let mut all = shared.as_object().unwrap().clone();
        let own = service.as_object().unwrap();
        if !own["image"].is_null() && own["image"] != shared["image"] {
            all.clear();
        }
        all.extend(own.clone());
        (name.clone(), Value::Object(all))
    };
    services.iter().map(with_shared).collect()
}

fn words(service: &Value) -> Vec<String> {
    let command = service["command"].as_array();
    command.into_iter().flatten().map(|word| word.as_str().unwrap().to_owned()).collect()
}

/// A command's arguments with the container's paths as this repository has them.
fn arguments(service: &Value) -> Vec<String> {
    let config = root().join("ops/config").display().to_string();
    words(service).iter().skip(1).map(|word| word.replace("/etc/decklog", &config)).collect()
}

fn environment(service: &Value) -> Vec<(String, String)> {
    let variables = service["environment"].as_object();
    let pair =
        |(name, value): (&String, &Value)| (name.clone(), value.as_str().unwrap().to_owned());
    variables.into_iter().flatten().map(pair).collect()
}

#[test]
fn every_role_in_the_compose_file_accepts_its_configuration_and_variables() {
    let mut seen = Vec::new();
    for (name, service) in services() {
        let arguments = arguments(&service);
        let Some(file) =
            arguments.iter().position(|a| a == "--config").map(|at| &arguments[at + 1])
        else {
            continue;
        };
        assert!(Path::new(file).exists(), "{name}: {file}");
        match words(&service)[0].as_str() {
            "decklog-executor" => {
                let mut call = executor(arguments.iter().map(String::as_str).chain(["--check"]));
                run(call.envs(environment(&service))).ended(0);
            }
            "decklog" => {
                let mut call = decklog(["config", "check", "--config", file]);
                run(call.envs(environment(&service))).ended(0);
                let help = run(&mut decklog([arguments[0].as_str(), "--help"])).ended(0).out;
                for flag in arguments.iter().filter(|a| a.starts_with("--")) {
                    assert!(help.contains(flag.as_str()), "{name}: {flag} is not in\n{help}");
                }
            }
            other => panic!("{name} runs {other}"),
        }
        seen.push(name);
    }
    assert_eq!(seen, ["audit", "console", "executor", "scheduler"]);
}

#[test]
fn the_migration_of_the_compose_file_names_its_database_as_the_program_reads_it() {
    let services = services();
    let service = &services["migrate"];
    assert_eq!(words(service), ["decklog", "migrate"]);
    let help = run(&mut decklog(["migrate", "--help"])).ended(0).out;
    assert!(help.contains("DECKLOG__AUDIT__DATABASE"), "{help}");
    assert!(environment(service).iter().any(|(name, _)| name == "DECKLOG__AUDIT__DATABASE"));
}

#[test]
fn the_published_port_is_the_one_the_console_listens_on() {
    let services = services();
    let console = &services["console"];
    let published = console["ports"][0].as_str().unwrap();
    let listens = words(console)
        .into_iter()
        .find_map(|w| w.strip_prefix("console.listen=").map(str::to_owned));
    let listens = listens.unwrap();
    assert!(published.starts_with("127.0.0.1:"), "the API is published on loopback only");
    assert_eq!(published.rsplit(':').next(), listens.rsplit(':').next());
}

#[test]
fn what_services_depend_on_and_mount_is_there() {
    let text = std::fs::read_to_string(root().join("compose.yaml")).unwrap();
    let compose: Value = serde_saphyr::from_str(&text).unwrap();
    let services = services();
    for (name, service) in &services {
        let needs = match &service["depends_on"] {
            Value::Array(list) => list.iter().map(|n| n.as_str().unwrap().to_owned()).collect(),
            Value::Object(map) => map.keys().cloned().collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
        };
        for needed in needs {
            assert!(services.contains_key(&needed), "{name} depends on {needed}");
        }
        for mount in service["volumes"].as_array().into_iter().flatten() {
            let source = mount.as_str().unwrap().split(':').next().unwrap();
            let known = if source.starts_with("./") {
                root().join(source).exists()
            } else {
                compose["volumes"].as_object().unwrap().contains_key(source)
            };
            assert!(known, "{name} mounts {source}");
        }
    }
}
