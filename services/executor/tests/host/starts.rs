//! What a host starts, what it refuses, and what it says of itself.

use std::collections::BTreeMap;

use domain::canonical::{Digest, canonical};
use domain::event::{Event, RunEvent, Terms};
use domain::ids::StreamId;
use domain::run::{Outcome, State};
use executor::attempt::{AttemptDir, list};
use serde_json::json;

use crate::world::{World, eventually, job};

#[tokio::test(flavor = "multi_thread")]
async fn a_command_gets_the_values_of_its_run_and_the_log_says_what_was_started() {
    let world = World::new().await;
    let script = "echo \"$0 $MONTH $DECKLOG_BUSINESS_DATE\"";
    let definition = job(
        "pay",
        json!({
            "parameters": {"month": {"env": "MONTH"}},
            "command": {"argv": ["/bin/sh", "-c", script, "{{month}}/{{business-date}}"]},
        }),
    );
    let terms = Terms {
        parameters: [("month".to_owned(), "2026-10".to_owned())].into(),
        business_day: Some("2026-11-19".parse().unwrap()),
        ..Terms::default()
    };
    let run = world.centre.due(&definition, terms).await;
    world.centre.offer(&run, &definition, 1).await;
    assert_eq!(world.ended(&run).await.0, Outcome::Succeeded);
    assert_eq!(world.output(&run), "2026-10/2026-11-19 2026-10 2026-11-19\n");
    let events = world.centre.events(&run).into_iter();
    let mut started = events.filter_map(|(event, _)| {
        if let Event::RunEvent(RunEvent::RunStarted(started)) = event {
            Some(started)
        } else {
            None
        }
    });
    let argv = ["/bin/sh", "-c", script, "2026-10/2026-11-19"];
    assert_eq!(started.next().unwrap().argv, Digest::of(&canonical(&argv).unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_or_cannot_start_fails_and_the_log_says_why() {
    let mut world = World::empty().await;
    let allow = world.path("allow.toml");
    std::fs::write(&allow, "[[allow]]\nprogram = \"/bin/true\"\nuser = \"*\"\n").unwrap();
    world.start(|config| config.allow = Some(allow.clone())).await;
    for (name, fields, why) in [
        (
            "token",
            json!({"command": {"argv": ["/bin/true", "{{business-date+2030y}}"]}}),
            "not started: `{{business-date+2030y}}` cannot be read",
        ),
        (
            "program",
            json!({"command": {"argv": ["/bin/false"]}}),
            "not started: this host does not allow /bin/false",
        ),
        (
            "secret",
            json!({"secrets": {"PASSWORD": "file:/etc/shadow"}}),
            "not started: this host does not allow the secret file:/etc/shadow as ",
        ),
    ] {
        // As another version of the centre might have let it pass.
        let mut definition = serde_json::to_value(job(name, json!({}))).unwrap();
        definition.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let definition = serde_json::from_value(definition).unwrap();
        let (outcome, run) = world.through(&definition).await;
        assert_eq!(outcome, Outcome::Failed);
        let message = run.message.unwrap();
        assert!(message.starts_with(why), "{message}");
    }
    // The log says it all.
    let left = || async { list(&world.attempts()).unwrap().is_empty().then_some(()) };
    eventually("nothing to be left of them", left).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_life_claimed_is_not_started_where_the_host_no_longer_allows_it() {
    let mut world = World::new().await;
    let (note, go) = (world.path("ran"), world.path("go"));
    let script = format!(
        "echo x >> {}; while [ ! -e {} ]; do sleep 0.01; done",
        note.display(),
        go.display()
    );
    let definition = job("pay", json!({"command": {"argv": ["/bin/sh", "-c", script]}}));
    let run = world.centre.due(&definition, Terms::default()).await;
    world.centre.offer(&run, &definition, 1).await;
    eventually("the command", || async { note.exists().then_some(()) }).await;
    world.stop().await;
    // As if the executor had been killed right after its claim.
    let dir = AttemptDir::find(&world.attempts(), run.as_str(), 1).unwrap();
    let spec = dir.spec().unwrap();
    std::fs::write(&go, "").unwrap();
    eventually("the end of the attempt", || async {
        dir.path().join("status.json").exists().then_some(())
    })
    .await;
    dir.remove().unwrap();
    executor::attempt::prepare(&world.attempts(), &spec).unwrap();
    assert_eq!(world.run(&run).state, State::Running { attempt: 1 });

    let allow = world.path("allow.toml");
    std::fs::write(&allow, "").unwrap();
    world.start(|config| config.allow = Some(allow.clone())).await;
    let (outcome, ended) = world.ended(&run).await;
    assert_eq!(outcome, Outcome::Failed);
    let message = ended.message.unwrap();
    assert!(message.starts_with("not started: this host does not allow /bin/sh"), "{message}");
    assert_eq!(std::fs::read_to_string(&note).unwrap(), "x\n", "it ran once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_says_which_labels_it_has() {
    let mut world = World::empty().await;
    let own = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    world.start(|config| config.labels = own(&[("site", "b"), ("arch", "own")])).await;
    let state = world.centre.stream(&StreamId::host("h1")).unwrap();
    let labels = state.body.host().unwrap().started.clone().unwrap().labels;
    let os = std::env::consts::OS;
    assert_eq!(labels, own(&[("arch", "own"), ("host", "h1"), ("os", os), ("site", "b")]));
}
