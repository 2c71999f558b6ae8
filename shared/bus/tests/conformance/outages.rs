//! What a bus over NATS survives: a server that stops, is killed, or loses its storage.

use std::time::{Duration, Instant};

use bus::{Bus, BusError, Delivery, NatsConfig, Service, Topic};
use bytes::Bytes;
use testkit::nats::Nats;
use testkit::wait::until_async;

use crate::place::{PATIENCE, body, quick};
use crate::topics::hear;
use crate::work::take_one;

const POOL: &str = "eu.linux";

struct Yard {
    nats: Nats,
    bus: Bus,
}

impl Yard {
    async fn open() -> Yard {
        let nats = Nats::start(true).unwrap();
        let config = NatsConfig { limits: quick(), ..NatsConfig::new(nats.url()) };
        let bus = Bus::connect(&config).await.unwrap();
        Yard { nats, bus }
    }

    async fn connected_is(&self, connected: bool) {
        let mut changes = self.bus.connected();
        let became = changes.wait_for(|now| *now == connected);
        tokio::time::timeout(PATIENCE, became).await.expect("it never became so").unwrap();
    }

    async fn restart(&mut self) {
        self.nats.stop().unwrap();
        self.connected_is(false).await;
        self.nats.start_again().unwrap();
        self.connected_is(true).await;
    }

    async fn lose_storage(&mut self) {
        self.nats.kill().unwrap();
        self.nats.delete_storage().unwrap();
        self.connected_is(false).await;
        self.nats.start_again().unwrap();
        self.connected_is(true).await;
    }

    async fn offer(&self, id: &str) {
        self.bus.offer(POOL, id, body(id)).await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_with_what_to_do() {
    let mut nats = Nats::start(false).unwrap();
    nats.stop().unwrap();
    let error = Bus::connect(&NatsConfig::new(nats.url())).await.unwrap_err();
    assert!(matches!(error, BusError::Connect { .. }));
    assert!(error.to_string().contains(&nats.url()), "{error}");
}

#[tokio::test]
async fn a_server_that_starts_a_moment_later_is_waited_for() {
    let mut nats = Nats::start(false).unwrap();
    nats.stop().unwrap();
    let config = NatsConfig::new(nats.url());
    let connecting = tokio::spawn(async move { Bus::connect(&config).await });
    tokio::task::yield_now().await;
    nats.start_again().unwrap();
    assert!(*connecting.await.unwrap().unwrap().connected().borrow());
}

#[tokio::test]
async fn without_jetstream_an_offer_says_so() {
    let nats = Nats::start(false).unwrap();
    let bus = Bus::connect(&NatsConfig::new(nats.url())).await.unwrap();
    let error = bus.offer(POOL, "1", Bytes::new()).await.unwrap_err().to_string();
    assert!(error.contains("JetStream"), "{error}");
}

#[tokio::test]
async fn while_the_server_is_away_nobody_is_kept_waiting() {
    let mut yard = Yard::open().await;
    let mut worker = yard.bus.worker(POOL).await.unwrap();
    yard.nats.stop().unwrap();
    yard.connected_is(false).await;
    let began = Instant::now();
    let away = |error: BusError| assert!(matches!(error, BusError::Disconnected { .. }), "{error}");
    away(yard.bus.request(&Service::Append, Bytes::new(), PATIENCE).await.unwrap_err());
    away(yard.bus.publish(&Topic::Feed, Bytes::new()).await.unwrap_err());
    away(yard.bus.offer(POOL, "1", Bytes::new()).await.unwrap_err());
    away(yard.bus.depth(POOL).await.unwrap_err());
    away(worker.take(1, Duration::from_millis(20)).await.unwrap_err());
    assert!(began.elapsed() < PATIENCE / 3);
}

#[tokio::test]
async fn a_request_under_way_when_the_server_stops_is_told() {
    let mut yard = Yard::open().await;
    let mut requests = yard.bus.serve(Service::Append, 9).await.unwrap();
    let bus = yard.bus.clone();
    let asking =
        tokio::spawn(
            async move { bus.request(&Service::Append, Bytes::new(), PATIENCE * 2).await },
        );
    let _unanswered = requests.next().await.unwrap();
    yard.nats.kill().unwrap();
    let told = tokio::time::timeout(PATIENCE, asking).await.expect("nothing was told").unwrap();
    assert!(matches!(told, Err(BusError::Disconnected { .. })), "{told:?}");
}

#[tokio::test]
async fn after_a_restart_servers_go_on() {
    let mut yard = Yard::open().await;
    let mut requests = yard.bus.serve(Service::Append, 9).await.unwrap();
    yard.restart().await;
    let bus = yard.bus.clone();
    tokio::spawn(async move {
        while let Some(request) = requests.next().await {
            request.reply(body("here")).await.unwrap();
        }
    });
    let answers = async || {
        let answer = bus.request(&Service::Append, Bytes::new(), PATIENCE).await;
        answer.is_ok_and(|answer| answer == "here")
    };
    until_async("the server to answer", PATIENCE, answers).await.unwrap();
}

#[tokio::test]
async fn after_a_restart_a_listener_is_told_of_the_gap_and_hears_on() {
    let mut yard = Yard::open().await;
    let mut listener = yard.bus.subscribe(&Topic::Feed).await.unwrap();
    yard.restart().await;
    assert_eq!(hear(&mut listener).await, Delivery::Lagged(0));
    yard.bus.publish(&Topic::Feed, body("again")).await.unwrap();
    assert_eq!(hear(&mut listener).await, Delivery::Message(body("again")));
}

#[tokio::test]
async fn after_a_restart_work_offered_before_and_after_is_taken() {
    let mut yard = Yard::open().await;
    let mut worker = yard.bus.worker(POOL).await.unwrap();
    yard.offer("before").await;
    yard.restart().await;
    assert_eq!(take_done(&mut worker).await, "before");
    yard.offer("after").await;
    assert_eq!(take_done(&mut worker).await, "after");
}

#[tokio::test]
async fn a_worker_who_waits_through_a_restart_gets_what_comes_after() {
    let mut yard = Yard::open().await;
    let mut worker = yard.bus.worker(POOL).await.unwrap();
    let waiting = tokio::spawn(async move { take_done(&mut worker).await });
    yard.restart().await;
    yard.offer("after").await;
    assert_eq!(waiting.await.unwrap(), "after");
}

#[tokio::test]
async fn after_the_storage_was_lost_offers_are_delivered_again() {
    let mut yard = Yard::open().await;
    let mut worker = yard.bus.worker(POOL).await.unwrap();
    yard.offer("lost").await;
    yard.lose_storage().await;
    yard.offer("lost").await;
    assert_eq!(take_done(&mut worker).await, "lost");
}

#[tokio::test]
async fn a_worker_who_waits_while_the_storage_is_lost_gets_what_comes_after() {
    let mut yard = Yard::open().await;
    let mut worker = yard.bus.worker(POOL).await.unwrap();
    let waiting = tokio::spawn(async move { take_done(&mut worker).await });
    yard.lose_storage().await;
    yard.offer("after").await;
    assert_eq!(waiting.await.unwrap(), "after");
}

#[tokio::test]
async fn a_queue_deleted_while_all_are_connected_is_made_again() {
    let yard = Yard::open().await;
    let mut worker = yard.bus.worker(POOL).await.unwrap();
    yard.offer("first").await;
    let client = async_nats::connect(yard.nats.url()).await.unwrap();
    let jetstream = async_nats::jetstream::new(client);
    jetstream.delete_stream("decklog-work-eu=linux").await.unwrap();

    assert_eq!(yard.bus.depth(POOL).await.unwrap(), 0);
    let nothing = worker.take(1, Duration::ZERO).await.unwrap();
    assert!(nothing.is_empty(), "{nothing:?}");
    jetstream.delete_stream("decklog-work-eu=linux").await.unwrap();
    yard.offer("second").await;
    assert_eq!(take_done(&mut worker).await, "second");
}

#[tokio::test]
async fn a_queue_made_with_other_limits_gets_the_new_ones() {
    let yard = Yard::open().await;
    yard.offer("a").await;
    let mut config = NatsConfig::new(yard.nats.url());
    config.limits.queue_messages = 1;
    let stricter = Bus::connect(&config).await.unwrap();
    stricter.worker(POOL).await.unwrap();
    let refused = stricter.offer(POOL, "b", Bytes::new()).await;
    assert!(matches!(refused, Err(BusError::QueueFull { limit: 1, .. })), "{refused:?}");
}

#[tokio::test]
async fn two_installations_share_a_server_without_meeting() {
    let yard = Yard::open().await;
    let config = NatsConfig { prefix: "other".to_owned(), ..NatsConfig::new(yard.nats.url()) };
    let other = Bus::connect(&config).await.unwrap();
    yard.offer("a").await;
    assert_eq!(other.depth(POOL).await.unwrap(), 0);
    let _requests = yard.bus.serve(Service::Append, 1).await.unwrap();
    let asked = other.request(&Service::Append, Bytes::new(), PATIENCE).await;
    assert!(matches!(asked, Err(BusError::NoResponder { .. })), "{asked:?}");
}

#[tokio::test]
async fn nothing_is_left_listening_when_the_bus_is_gone() {
    let yard = Yard::open().await;
    let mut listener = yard.bus.subscribe(&Topic::Feed).await.unwrap();
    let mut requests = yard.bus.serve(Service::Append, 1).await.unwrap();
    drop(yard.bus);
    assert_eq!(listener.next().await, None);
    assert!(requests.next().await.is_none());
}

async fn take_done(worker: &mut bus::Worker) -> Bytes {
    let work = take_one(worker).await;
    let body = work.body.clone();
    work.done().await.unwrap();
    body
}
