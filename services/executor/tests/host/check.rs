//! What would keep a host from running a job.

use std::time::Duration;

use bus::Service;
use domain::wire::HostQuery;
use executor::attempt::cgroup;
use serde_json::{Value, json};

use crate::world::World;

/// What the host says about a definition.
async fn problems(world: &World, fields: Value) -> Vec<String> {
    let mut definition = json!({"name": "pay", "command": {"argv": ["/bin/true"]}});
    definition.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let query = serde_json::to_vec(&HostQuery::Check { definition }).unwrap();
    let host = Service::Host("h1".to_owned());
    let wait = Duration::from_secs(30);
    let answer = world.centre.bus.request(&host, query.into(), wait).await.unwrap();
    let (first, list) = answer.split_first().unwrap();
    assert_eq!(*first, b'+', "{}", String::from_utf8_lossy(&answer));
    serde_json::from_slice(list).unwrap()
}

#[track_caller]
fn assert_named(problems: &[String], expected: &[&str]) {
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    for (problem, expected) in problems.iter().zip(expected) {
        assert!(problem.contains(expected), "{problem:?} is not about {expected:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_names_everything_that_would_keep_it_from_running_a_job() {
    let mut world = World::empty().await;
    let allow = world.path("allow.toml");
    let list = "[[allow]]\nprogram = \"/bin/*\"\nuser = \"*\"\nsecrets = [\"credential:*\"]\n";
    std::fs::write(&allow, list).unwrap();
    world.start(|config| config.allow = Some(allow.clone())).await;
    let table: [(Value, &[&str]); 15] = [
        (json!({}), &[]),
        (json!({"host": "h1", "pool": "other"}), &[]),
        (json!({"host": "h2"}), &["for host h2"]),
        (json!({"pool": "other"}), &["no work of pool other"]),
        (json!({"select": {"os": std::env::consts::OS}}), &[]),
        (json!({"select": {"os": ["vms", "mvs"]}}), &["label os is not vms or mvs; it has "]),
        (json!({"select": {"site": "b"}}), &["label site is not b; it has none"]),
        (json!({"run-as": "no-such-user"}), &["no user no-such-user"]),
        (
            json!({"command": {"argv": ["/bin/no-such-program"]}}),
            &["the program /bin/no-such-program"],
        ),
        (json!({"command": {"argv": ["no-such-program"]}}), &["is not in /usr/local/sbin"]),
        (json!({"command": {"argv": ["/etc/passwd"]}}), &["/etc/passwd cannot be executed"]),
        (
            json!({"command": {"script": "x", "interpreter": ["/bin/no-such-shell"]}}),
            &["the interpreter /bin/no-such-shell"],
        ),
        (json!({"command": {"script": "x"}}), &["does not allow scripts for /bin/sh"]),
        (
            json!({"pool": "other", "secrets": {"A": "env:A", "B": "credential:b", "C": "file:/c"}}),
            &["pool other", "the secret env:A", "the secret file:/c"],
        ),
        (json!({"command": {"argv": ["/bin/true", "{{business-date-1q}}"]}}), &["cannot be read"]),
    ];
    for (fields, expected) in table {
        assert_named(&problems(&world, fields).await, expected);
    }
    let bounds = cgroup::delegated().is_some_and(|group| cgroup::bounds_memory(&group));
    let expected: &[&str] = if bounds { &[] } else { &["limits.memory-bytes does not hold here"] };
    let limited = json!({"limits": {"memory-bytes": 100_000_000}});
    assert_named(&problems(&world, limited).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_a_parameter_names_is_looked_for_where_that_has_a_value() {
    let world = World::new().await;
    let with = |parameter: Value| json!({"parameters": {"tool": parameter}, "command": {"argv": ["/bin/{{tool}}"]}});
    assert_named(&problems(&world, with(json!({"default": "true"}))).await, &[]);
    assert_named(&problems(&world, with(json!({"default": "no-such"}))).await, &["/bin/no-such"]);
    assert_named(&problems(&world, with(json!({}))).await, &[]);
    let newer = json!({"invented-later": true});
    assert_named(&problems(&world, newer).await, &["invented-later"]);
}
