//! The map is true: who may import whom, and what the files beside the code say.
#![expect(clippy::unwrap_used, reason = "a file that cannot be read is a failed test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use toml::Table;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every crate of ours with what it imports, in programs and libraries (not in tests).
fn imports() -> BTreeMap<String, BTreeSet<String>> {
    let mut found = BTreeMap::new();
    for folder in ["shared", "services"] {
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let dir = entry.unwrap().path();
            let manifest: Table =
                std::fs::read_to_string(dir.join("Cargo.toml")).unwrap().parse().unwrap();
            let name = dir.file_name().unwrap().to_str().unwrap().to_owned();
            let dependencies = manifest.get("dependencies").and_then(toml::Value::as_table);
            found.insert(
                name,
                dependencies.map(|t| t.keys().cloned().collect()).unwrap_or_default(),
            );
        }
    }
    found
}

const OURS: [&str; 21] = [
    "domain",
    "tlog",
    "journal",
    "eventlog",
    "evidence",
    "bus",
    "settings",
    "engine",
    "paper",
    "printer",
    "document",
    "delivery",
    "timestamp",
    "testkit",
    "scheduler",
    "executor",
    "audit",
    "console",
    "witness",
    "verify",
    "decklog",
];

/// What of ours each crate may import.
fn allowed(name: &str) -> &'static [&'static str] {
    match name {
        "domain" | "tlog" | "engine" | "paper" | "printer" | "document" | "delivery"
        | "timestamp" => &[],
        "journal" => &["domain", "tlog"],
        "bus" | "settings" => &["domain"],
        "eventlog" => &["domain", "tlog"],
        "evidence" => &["domain", "tlog", "timestamp"],
        // Whoever audits reads what it is made of.
        "verify" => &["domain", "tlog", "evidence"],
        "witness" => &["tlog", "journal"],
        "console" => &["domain", "journal", "bus", "settings", "delivery", "evidence"],
        "scheduler" => &["domain", "journal", "bus", "settings", "delivery"],
        "executor" => {
            &["domain", "journal", "bus", "settings", "engine", "printer", "document", "delivery"]
        }
        "audit" => &["domain", "tlog", "journal", "eventlog", "bus", "delivery", "timestamp"],
        "testkit" => &["domain", "tlog"],
        "decklog" => &[
            "domain",
            "tlog",
            "journal",
            "eventlog",
            "bus",
            "settings",
            "scheduler",
            "executor",
            "audit",
            "console",
            "paper",
            "delivery",
            "evidence",
            "witness",
        ],
        other => panic!("the crate {other} is not on the map: give it a place in tests/map"),
    }
}

#[test]
fn every_crate_imports_only_what_the_map_allows() {
    for (name, imports) in imports() {
        let ours = imports.iter().filter(|import| OURS.contains(&import.as_str()));
        for import in ours {
            let may = allowed(&name);
            assert!(
                may.contains(&import.as_str()),
                "{name} imports {import}; it may import {may:?}"
            );
        }
    }
}

#[test]
fn a_library_with_a_place_of_its_own_is_imported_only_there() {
    let places: [(&str, &[&str]); 22] = [
        ("sqlx", &["eventlog"]),
        ("async-nats", &["bus"]),
        ("tokio-cron-scheduler", &["audit"]),
        ("cron", &["domain"]),
        ("croner", &["domain"]),
        ("axum", &["console", "witness"]),
        ("clap", &["decklog"]),
        ("zstd", &["engine", "eventlog", "executor"]),
        ("rustic_core", &["engine"]),
        ("rusty-s3", &["engine"]),
        ("openssh-sftp-client", &["engine"]),
        ("krilla", &["paper"]),
        ("qrcodegen", &["paper"]),
        ("ipp", &["printer"]),
        ("miniz_oxide", &["document"]),
        ("roxmltree", &["decklog"]),
        ("rust_xlsxwriter", &["decklog"]),
        ("calcard", &["decklog"]),
        ("lettre", &["delivery"]),
        ("lexopt", &["verify"]),
        ("der", &["timestamp"]),
        ("rustls-webpki", &["timestamp"]),
    ];
    let imports = imports();
    for (library, homes) in places {
        let users: Vec<&String> =
            imports.iter().filter(|(_, i)| i.contains(library)).map(|(name, _)| name).collect();
        assert_eq!(users, homes, "{library}");
    }
}

#[test]
fn the_pure_crates_import_nothing_that_does_io() {
    let imports = imports();
    for pure in ["domain", "tlog", "paper", "evidence", "timestamp"] {
        for impure in ["tokio", "getrandom", "tracing", "nix", "tempfile"] {
            assert!(!imports[pure].contains(impure), "{pure} imports {impure}");
        }
    }
}

#[test]
fn the_pure_crates_ask_no_clock_and_no_file() {
    for pure in ["domain", "tlog", "paper", "evidence", "timestamp"] {
        for file in sources(&root().join("shared").join(pure).join("src")) {
            let text = std::fs::read_to_string(&file).unwrap();
            for word in [
                "Timestamp::now",
                "SystemTime::now",
                "Instant::now",
                "Zoned::now",
                "std::fs",
                "std::net",
            ] {
                assert!(!text.contains(word), "{} says {word}", file.display());
            }
        }
    }
}

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found
}

#[test]
fn the_architecture_names_every_crate_and_the_readme_every_shared_one() {
    let architecture = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    for name in imports().keys() {
        assert!(
            architecture.contains(&format!("`{name}")) || name == "testkit",
            "ARCHITECTURE.md: {name}"
        );
        assert!(readme.contains(name), "README.md: {name}");
    }
}

/// Each package of a lock file with its version and checksum.
fn locked(path: &str) -> BTreeSet<(String, String, Option<String>)> {
    let lock: Table = std::fs::read_to_string(root().join(path)).unwrap().parse().unwrap();
    let packages = lock["package"].as_array().unwrap().iter();
    let text =
        |package: &toml::Value, key| package.get(key).map(|v| v.as_str().unwrap().to_owned());
    packages
        .map(|p| (text(p, "name").unwrap(), text(p, "version").unwrap(), text(p, "checksum")))
        .collect()
}

#[test]
fn the_fuzzer_is_built_of_what_the_programs_are_built_of() {
    let (ours, fuzz) = (locked("Cargo.lock"), locked("tests/fuzz/Cargo.lock"));
    let other: Vec<&str> = fuzz.difference(&ours).map(|(name, ..)| name.as_str()).collect();
    assert_eq!(other, ["arbitrary", "decklog-fuzz", "libfuzzer-sys"]);
}

#[test]
fn migrations_have_the_same_numbers_in_both_dialects() {
    let names = |dialect: &str| -> BTreeSet<String> {
        let dir = root().join("migrations").join(dialect);
        std::fs::read_dir(dir)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect()
    };
    assert_eq!(names("postgres"), names("sqlite"));
    let code = std::fs::read_to_string(root().join("shared/eventlog/src/migrate.rs")).unwrap();
    for name in names("sqlite") {
        assert!(code.contains(&name), "{name} is not compiled in");
    }
}
