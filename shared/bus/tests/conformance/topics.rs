//! Broadcasts and their listeners.

use bus::{Delivery, Limits, Subscription, Topic};

use crate::place::{PATIENCE, Place, body, in_both_forms};

in_both_forms! {
    a_broadcast_reaches_everybody_who_listens with Limits::default();
    a_broadcast_nobody_listens_to_is_no_error with Limits::default();
    a_slow_listener_is_told_how_much_it_lost with
        Limits { subscription_messages: 8, ..Limits::default() };
    the_output_of_a_run_reaches_only_who_asked_for_it with Limits::default();
}

pub(crate) async fn hear(listener: &mut Subscription) -> Delivery {
    let heard = tokio::time::timeout(PATIENCE, listener.next()).await;
    heard.expect("nothing was heard").expect("the bus is gone")
}

fn message(text: &str) -> Delivery {
    Delivery::Message(body(text))
}

async fn a_broadcast_reaches_everybody_who_listens(place: Place) {
    let (one, two) = (place.bus().await, place.bus().await);
    let mut listeners = vec![
        one.subscribe(&Topic::Feed).await.unwrap(),
        one.subscribe(&Topic::Feed).await.unwrap(),
        two.subscribe(&Topic::Feed).await.unwrap(),
    ];
    let mut elsewhere = two.subscribe(&Topic::Heartbeats).await.unwrap();
    for text in ["first", "second"] {
        two.publish(&Topic::Feed, body(text)).await.unwrap();
    }
    two.publish(&Topic::Heartbeats, body("alive")).await.unwrap();
    for listener in &mut listeners {
        assert_eq!(hear(listener).await, message("first"));
        assert_eq!(hear(listener).await, message("second"));
    }
    assert_eq!(hear(&mut elsewhere).await, message("alive"));
}

async fn a_broadcast_nobody_listens_to_is_no_error(place: Place) {
    let bus = place.bus().await;
    drop(bus.subscribe(&Topic::Feed).await.unwrap());
    bus.publish(&Topic::Feed, body("hello?")).await.unwrap();
}

async fn a_slow_listener_is_told_how_much_it_lost(place: Place) {
    let (told, teller) = (place.bus().await, place.bus().await);
    let mut slow = told.subscribe(&Topic::Feed).await.unwrap();
    let mut end = told.subscribe(&Topic::Heartbeats).await.unwrap();
    for n in 0..500 {
        teller.publish(&Topic::Feed, body(&n.to_string())).await.unwrap();
    }
    teller.publish(&Topic::Heartbeats, body("end")).await.unwrap();
    hear(&mut end).await;

    let (mut lost, mut heard) = (0, 0);
    loop {
        match hear(&mut slow).await {
            Delivery::Lagged(more) => lost += more,
            Delivery::Message(text) => {
                assert_eq!(text, (lost + heard).to_string(), "what is missing was told");
                heard += 1;
                if text == "499" {
                    break;
                }
            }
        }
    }
    assert!(lost > 0 && lost + heard == 500, "lost {lost}, heard {heard}");
}

async fn the_output_of_a_run_reaches_only_who_asked_for_it(place: Place) {
    let bus = place.bus().await;
    let output = |token: &str| Topic::Output(token.to_owned());
    let mut a = bus.subscribe(&output("run-a")).await.unwrap();
    let mut b = bus.subscribe(&output("run-b")).await.unwrap();
    bus.publish(&output("run-a"), body("from a")).await.unwrap();
    bus.publish(&output("run-b"), body("from b")).await.unwrap();
    assert_eq!(hear(&mut a).await, message("from a"));
    assert_eq!(hear(&mut b).await, message("from b"));
}
