//! Requests and their servers.

use std::time::{Duration, Instant};

use bus::{Bus, BusError, Limits, MAX_MESSAGE_BYTES, Requests, Service, Topic, limits};
use bytes::Bytes;
use testkit::wait::until_async;
use tokio::task::JoinHandle;

use crate::place::{PATIENCE, Place, body, in_both_forms};

in_both_forms! {
    each_request_goes_to_exactly_one_of_two_servers with Limits::default();
    a_request_nobody_serves_is_refused_at_once with Limits::default();
    a_server_that_left_is_not_asked_any_more with Limits::default();
    a_request_not_answered_in_time_says_so with Limits::default();
    a_request_dropped_unanswered_is_told_at_once with Limits::default();
    requests_beyond_a_servers_limit_are_refused with Limits::default();
    what_is_too_large_is_refused_before_it_is_sent with Limits::default();
    a_host_gets_its_own_requests_only with Limits::default();
    names_that_could_reach_elsewhere_are_refused with Limits::default();
    many_requests_at_once_all_get_their_own_answer with Limits::default();
}

/// Answers every request with `name`, a colon and what was asked; ends with the number answered.
fn answering(mut requests: Requests, name: &'static str) -> JoinHandle<usize> {
    tokio::spawn(async move {
        let mut answered = 0;
        while let Some(request) = requests.next().await {
            let asked = String::from_utf8_lossy(&request.body).into_owned();
            if asked == "stop" {
                request.reply(Bytes::new()).await.unwrap();
                break;
            }
            request.reply(body(&format!("{name}:{asked}"))).await.unwrap();
            answered += 1;
        }
        answered
    })
}

async fn ask(bus: &Bus, service: &Service, text: &str) -> Result<Bytes, BusError> {
    bus.request(service, body(text), PATIENCE).await
}

async fn each_request_goes_to_exactly_one_of_two_servers(place: Place) {
    let (one, two, asker) = (place.bus().await, place.bus().await, place.bus().await);
    let one = answering(one.serve(Service::Append, 100).await.unwrap(), "one");
    let two = answering(two.serve(Service::Append, 100).await.unwrap(), "two");
    for n in 0..60 {
        let answer = ask(&asker, &Service::Append, &n.to_string()).await.unwrap();
        assert!(answer == format!("one:{n}") || answer == format!("two:{n}"), "{answer:?}");
    }
    ask(&asker, &Service::Append, "stop").await.unwrap();
    // The one that stopped has to be gone before the other can be told.
    let second = async || ask(&asker, &Service::Append, "stop").await.is_ok();
    until_async("the other to stop", PATIENCE, second).await.unwrap();
    let (one, two) = (one.await.unwrap(), two.await.unwrap());
    assert_eq!(one + two, 60);
    assert!(one > 0 && two > 0, "the load was not shared: {one} and {two}");
}

async fn a_request_nobody_serves_is_refused_at_once(place: Place) {
    let bus = place.bus().await;
    let began = Instant::now();
    let refused = ask(&bus, &Service::Query, "").await.unwrap_err();
    assert!(matches!(refused, BusError::NoResponder { .. }), "{refused}");
    assert!(began.elapsed() < PATIENCE / 2);
}

async fn a_server_that_left_is_not_asked_any_more(place: Place) {
    let bus = place.bus().await;
    drop(bus.serve(Service::Query, 1).await.unwrap());
    let left = async || {
        let asked = bus.request(&Service::Query, Bytes::new(), Duration::from_millis(100)).await;
        matches!(asked, Err(BusError::NoResponder { .. }))
    };
    until_async("the server to be gone", PATIENCE, left).await.unwrap();
}

async fn a_request_not_answered_in_time_says_so(place: Place) {
    let bus = place.bus().await;
    let mut requests = bus.serve(Service::Query, 1).await.unwrap();
    let after = Duration::from_millis(50);
    let late = bus.request(&Service::Query, Bytes::new(), after).await.unwrap_err();
    assert!(matches!(late, BusError::Timeout { after: waited, .. } if waited == after), "{late}");
    // An answer nobody waits for any more harms nobody.
    requests.next().await.unwrap().reply(Bytes::new()).await.unwrap();
}

async fn a_request_dropped_unanswered_is_told_at_once(place: Place) {
    let bus = place.bus().await;
    let mut requests = bus.serve(Service::Query, 1).await.unwrap();
    let (told, ()) = tokio::join!(ask(&bus, &Service::Query, ""), async {
        drop(requests.next().await.unwrap());
    });
    assert!(matches!(told, Err(BusError::Busy { .. })), "{told:?}");
}

async fn requests_beyond_a_servers_limit_are_refused(place: Place) {
    let bus = place.bus().await;
    let mut requests = bus.serve(Service::Query, 2).await.unwrap();
    let asking: Vec<_> = (0..5)
        .map(|_| {
            let bus = bus.clone();
            tokio::spawn(async move { ask(&bus, &Service::Query, "").await })
        })
        .collect();
    let refused = async || asking.iter().filter(|asked| asked.is_finished()).count() == 3;
    until_async("three to be refused", PATIENCE, refused).await.unwrap();
    for _ in 0..2 {
        requests.next().await.unwrap().reply(Bytes::new()).await.unwrap();
    }
    let mut answered = 0;
    for asked in asking {
        match asked.await.unwrap() {
            Ok(_) => answered += 1,
            Err(error) => assert!(matches!(error, BusError::Busy { .. }), "{error}"),
        }
    }
    assert_eq!(answered, 2);
}

async fn what_is_too_large_is_refused_before_it_is_sent(place: Place) {
    let bus = place.bus().await;
    let most = Bytes::from(vec![b'x'; MAX_MESSAGE_BYTES]);
    let more = Bytes::from(vec![b'x'; MAX_MESSAGE_BYTES + 1]);
    let refused = |result: Result<(), BusError>, limit: usize| {
        let said = result.unwrap_err();
        assert!(matches!(said, BusError::TooLarge { limit: l, .. } if l == limit), "{said}");
    };
    let requested = bus.request(&Service::Query, more.clone(), PATIENCE).await;
    refused(requested.map(|_| ()), MAX_MESSAGE_BYTES);
    refused(bus.publish(&Topic::Feed, more.clone()).await, MAX_MESSAGE_BYTES);
    refused(bus.offer("linux", "1", more.clone()).await, limits::MAX_WORK_BYTES);

    let mut requests = bus.serve(Service::Query, 1).await.unwrap();
    let asking = |body: Bytes| bus.request(&Service::Query, body, PATIENCE);
    let (answer, ()) = tokio::join!(asking(most.clone()), async {
        let request = requests.next().await.unwrap();
        let same = request.body.clone();
        request.reply(same).await.unwrap();
    });
    assert_eq!(answer.unwrap(), most, "what is just not too large goes both ways");
    let (answer, ()) = tokio::join!(asking(Bytes::new()), async {
        refused(requests.next().await.unwrap().reply(more).await, MAX_MESSAGE_BYTES);
    });
    assert!(matches!(answer, Err(BusError::Busy { .. })), "{answer:?}");
}

async fn a_host_gets_its_own_requests_only(place: Place) {
    let bus = place.bus().await;
    let host = |name: &str| Service::Host(name.to_owned());
    let dotted = bus.serve(host("db.example.org"), 9).await.unwrap();
    let hyphened = bus.serve(host("db-example-org"), 9).await.unwrap();
    let _servers = (answering(dotted, "dots"), answering(hyphened, "hyphens"));
    assert_eq!(ask(&bus, &host("db.example.org"), "?").await.unwrap(), "dots:?");
    assert_eq!(ask(&bus, &host("db-example-org"), "?").await.unwrap(), "hyphens:?");
    let nobody = ask(&bus, &host("db.example"), "?").await;
    assert!(matches!(nobody, Err(BusError::NoResponder { .. })), "{nobody:?}");
}

async fn names_that_could_reach_elsewhere_are_refused(place: Place) {
    let bus = place.bus().await;
    for bad in ["", "*", ">", "a b", "a\r\nPUB x"] {
        let refused = |error: BusError| assert!(matches!(error, BusError::BadName { .. }));
        refused(bus.serve(Service::Host(bad.to_owned()), 1).await.unwrap_err());
        refused(bus.subscribe(&Topic::Output(bad.to_owned())).await.unwrap_err());
        refused(bus.worker(bad).await.unwrap_err());
        refused(bus.offer(bad, "1", Bytes::new()).await.unwrap_err());
        refused(bus.depth(bad).await.unwrap_err());
    }
    let broken_id = bus.offer("linux", "a\r\nb", Bytes::new()).await;
    assert!(matches!(broken_id, Err(BusError::BadName { .. })), "{broken_id:?}");
}

async fn many_requests_at_once_all_get_their_own_answer(place: Place) {
    let (server, asker) = (place.bus().await, place.bus().await);
    let _server = answering(server.serve(Service::Append, 500).await.unwrap(), "s");
    let asking: Vec<_> = (0..300)
        .map(|n| {
            let asker = asker.clone();
            tokio::spawn(async move { (n, ask(&asker, &Service::Append, &n.to_string()).await) })
        })
        .collect();
    for asked in asking {
        let (n, answer) = asked.await.unwrap();
        assert_eq!(answer.unwrap(), format!("s:{n}"));
    }
}
