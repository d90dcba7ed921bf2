// SPDX-License-Identifier: MIT OR Apache-2.0
//! Links to a relay on loopback: up, down and up again, and the relay's limits.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::time::{Duration, Instant};

use crate::common::{quic, seed, tcp};
use comptoir_net::{
    DialFailure, Net, NetConfig, NetEvent, NetHandle, OpenError, Rate, RelayAcceptor, RelayDown,
    RelayEvent, RelayLimits, RelayLink, RelayNet, RelayNetConfig, RelayStream, SendError,
    StreamError,
};
use comptoir_protocol::id::RelayKey;
use comptoir_protocol::limits::FRAME_BYTES_MAX;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Whom to dial, where, and whether this is the failure to expect.
type Case = (RelayKey, Vec<String>, fn(&DialFailure) -> bool);

const PATIENCE: Duration = Duration::from_secs(30);

struct Relay {
    handle: NetHandle,
    acceptor: RelayAcceptor,
    _events: mpsc::Receiver<NetEvent>,
}

impl Relay {
    async fn start(number: u8, listen: Option<Vec<String>>, limits: RelayLimits) -> Self {
        let config = match listen {
            Some(listen) => NetConfig::new(seed(number), listen),
            None => NetConfig::loopback(seed(number)),
        };
        let (handle, events, acceptor) = Net::start_relay(config, limits).await.unwrap();
        Self {
            handle,
            acceptor,
            _events: events,
        }
    }

    fn key(&self) -> RelayKey {
        RelayKey(self.handle.local_key().0)
    }

    fn addresses(&self) -> Vec<String> {
        self.handle.listen_addresses()
    }

    async fn next(&mut self) -> RelayStream {
        timeout(PATIENCE, self.acceptor.next())
            .await
            .unwrap()
            .unwrap()
    }
}

fn client() -> RelayNet {
    let backoff_min = Duration::from_millis(50);
    RelayNet::start(RelayNetConfig {
        backoff_min,
        backoff_max: backoff_min * 8,
        ..RelayNetConfig::default()
    })
}

async fn next(link: &mut RelayLink) -> RelayEvent {
    timeout(PATIENCE, link.next()).await.unwrap().unwrap()
}

async fn frame(stream: &mut RelayStream) -> Vec<u8> {
    timeout(PATIENCE, stream.recv())
        .await
        .unwrap()
        .unwrap()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_go_both_ways_over_tcp_and_quic() {
    let mut relay = Relay::start(1, None, RelayLimits::default()).await;
    for choose in [tcp, quic] {
        let mut link = client()
            .open(relay.key(), choose(&relay.addresses()))
            .unwrap();
        assert_eq!(next(&mut link).await, RelayEvent::Up);
        let mut stream = relay.next().await;
        assert!(stream.remote_ip().is_loopback());
        link.send(b"put").unwrap();
        link.send(&vec![9; FRAME_BYTES_MAX]).unwrap();
        assert_eq!(frame(&mut stream).await, b"put");
        assert_eq!(frame(&mut stream).await.len(), FRAME_BYTES_MAX);
        stream.sender().send(b"stored").unwrap();
        assert_eq!(next(&mut link).await, RelayEvent::Frame(b"stored".to_vec()));

        // The client goes away: its stream ends cleanly, and senders that are still held say so.
        drop(link);
        let end = timeout(PATIENCE, stream.recv()).await.unwrap();
        assert!(
            matches!(end, Ok(None) | Err(StreamError::Broken(_))),
            "{end:?}"
        );
        let sender = stream.sender();
        drop(stream);
        assert_eq!(sender.send(b"anybody"), Err(SendError::NotConnected));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_comes_back_after_the_relay_restarts() {
    let mut relay = Relay::start(1, None, RelayLimits::default()).await;
    let (key, addresses) = (relay.key(), relay.addresses());
    let mut link = client().open(key, addresses.clone()).unwrap();
    assert_eq!(next(&mut link).await, RelayEvent::Up);
    let held = relay.next().await;
    for _ in 0..2 {
        relay.handle.shutdown().await;
        drop(relay);
        assert!(matches!(next(&mut link).await, RelayEvent::Down(_)));
        assert_eq!(link.send(b"lost"), Err(SendError::NotConnected));
        tokio::time::sleep(Duration::from_millis(300)).await;

        relay = Relay::start(1, Some(addresses.clone()), RelayLimits::default()).await;
        assert_eq!(next(&mut link).await, RelayEvent::Up);
        let mut stream = relay.next().await;
        link.send(b"again").unwrap();
        assert_eq!(frame(&mut stream).await, b"again");
    }
    drop(held);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_in_a_long_pause_can_be_hurried() {
    let relay = Relay::start(1, None, RelayLimits::default()).await;
    let (key, addresses) = (relay.key(), relay.addresses());
    relay.handle.shutdown().await;
    drop(relay);
    // The first pause takes 30 to 60 s.
    let patient = RelayNetConfig {
        backoff_min: PATIENCE * 2,
        backoff_max: PATIENCE * 2,
        ..RelayNetConfig::default()
    };
    let mut link = RelayNet::start(patient)
        .open(key, addresses.clone())
        .unwrap();
    assert!(matches!(next(&mut link).await, RelayEvent::Down(_)));
    let _relay = Relay::start(1, Some(addresses), RelayLimits::default()).await;
    let asked = Instant::now();
    link.hurry();
    assert_eq!(next(&mut link).await, RelayEvent::Up);
    assert!(
        asked.elapsed() < PATIENCE - Duration::from_secs(1),
        "{:?}",
        asked.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_cannot_come_up_says_why_once_and_keeps_trying() {
    let relay = Relay::start(1, None, RelayLimits::default()).await;
    let (plain, _events) = Net::start(NetConfig::loopback(seed(2))).await.unwrap();
    let stranger = RelayKey(plain.local_key().0);
    let cases: Vec<Case> = vec![
        (stranger, relay.addresses(), |failure| {
            matches!(failure, DialFailure::WrongKey { .. })
        }),
        (stranger, plain.listen_addresses(), |failure| {
            matches!(failure, DialFailure::ProtocolUnsupported { .. })
        }),
        (
            relay.key(),
            vec!["/ip4/127.0.0.1/tcp/1".into()],
            |failure| matches!(failure, DialFailure::Unreachable(_)),
        ),
        (relay.key(), vec!["nonsense".into()], |failure| {
            *failure == DialFailure::NoAddress
        }),
    ];
    for (key, addresses, expected) in cases {
        let mut link = client().open(key, addresses).unwrap();
        match next(&mut link).await {
            RelayEvent::Down(RelayDown::Dial(failure)) => {
                assert!(expected(&failure), "{failure:?}")
            }
            other => panic!("{other:?}"),
        }
        assert!(
            timeout(Duration::from_millis(400), link.next())
                .await
                .is_err(),
            "said once"
        );
        assert_eq!(link.send(b"early"), Err(SendError::NotConnected));
    }
    let off_curve = (0u8..=255).find_map(|n| client().open(RelayKey([n; 32]), vec![]).err());
    assert_eq!(off_curve, Some(OpenError::BadKey));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_are_counted_and_come_free_when_dropped() {
    let relay = Relay::start(1, None, RelayLimits::default()).await;
    let net = RelayNet::start(RelayNetConfig {
        links_max: 2,
        ..RelayNetConfig::default()
    });
    let first = net.open(relay.key(), relay.addresses()).unwrap();
    let _second = net.open(relay.key(), relay.addresses()).unwrap();
    assert_eq!(
        net.open(relay.key(), relay.addresses()).err(),
        Some(OpenError::TooMany(2))
    );
    drop(first);
    let deadline = Instant::now() + PATIENCE;
    while net.open(relay.key(), relay.addresses()).is_err() {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_is_slowed_and_nothing_of_it_is_lost() {
    let stream_rate = Rate {
        per_second: 50,
        burst: 10,
    };
    let mut relay = Relay::start(
        1,
        None,
        RelayLimits {
            stream_rate,
            ..RelayLimits::default()
        },
    )
    .await;
    let mut link = client().open(relay.key(), tcp(&relay.addresses())).unwrap();
    assert_eq!(next(&mut link).await, RelayEvent::Up);
    let mut stream = relay.next().await;
    let started = Instant::now();
    for number in 0..60u8 {
        link.send(&[number]).unwrap();
    }
    for number in 0..60u8 {
        // Cancelled on the way as often as it likes, no frame is lost.
        let bytes = loop {
            if let Ok(bytes) = timeout(Duration::from_millis(7), stream.recv()).await {
                break bytes.unwrap().unwrap();
            }
        };
        assert_eq!(bytes, [number]);
    }
    // 10 at once, then 50 at 50 a second.
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(980), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_links_of_one_source_share_its_rate() {
    let ip_rate = Rate {
        per_second: 50,
        burst: 10,
    };
    let mut relay = Relay::start(
        1,
        None,
        RelayLimits {
            ip_rate,
            ..RelayLimits::default()
        },
    )
    .await;
    let started = Instant::now();
    let mut reading = Vec::new();
    let mut links = Vec::new();
    for _ in 0..2 {
        let mut link = client().open(relay.key(), tcp(&relay.addresses())).unwrap();
        assert_eq!(next(&mut link).await, RelayEvent::Up);
        let mut stream = relay.next().await;
        (0..30u8).for_each(|number| link.send(&[number]).unwrap());
        links.push(link);
        reading.push(tokio::spawn(async move {
            for _ in 0..30 {
                frame(&mut stream).await;
            }
        }));
    }
    for reader in reading {
        reader.await.unwrap();
    }
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(980), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_over_the_cap_are_closed_and_find_a_place_later() {
    let mut relay = Relay::start(
        1,
        None,
        RelayLimits {
            streams_max: 1,
            ..RelayLimits::default()
        },
    )
    .await;
    let mut first = client().open(relay.key(), tcp(&relay.addresses())).unwrap();
    assert_eq!(next(&mut first).await, RelayEvent::Up);
    let _stream = relay.next().await;
    let mut second = client().open(relay.key(), tcp(&relay.addresses())).unwrap();
    assert_eq!(next(&mut second).await, RelayEvent::Up);
    assert!(matches!(next(&mut second).await, RelayEvent::Down(_)));
    drop(first);
    drop(_stream);
    let mut stream = relay.next().await;
    loop {
        if second.send(b"in").is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(frame(&mut stream).await, b"in");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_client_is_let_go() {
    let silence_max = Duration::from_secs(1);
    let mut relay = Relay::start(
        1,
        None,
        RelayLimits {
            silence_max,
            ..RelayLimits::default()
        },
    )
    .await;
    let mut link = client().open(relay.key(), tcp(&relay.addresses())).unwrap();
    assert_eq!(next(&mut link).await, RelayEvent::Up);
    let mut stream = relay.next().await;
    let end = timeout(PATIENCE, stream.recv()).await.unwrap();
    assert_eq!(end, Err(StreamError::Silent { seconds: 1 }));
    // A last word before the stream is dropped still goes out.
    stream.sender().send(b"good bye").unwrap();
    drop(stream);
    assert_eq!(
        next(&mut link).await,
        RelayEvent::Frame(b"good bye".to_vec())
    );
    assert!(matches!(next(&mut link).await, RelayEvent::Down(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_serves_peers_on_the_same_swarm() {
    let mut relay = Relay::start(1, None, RelayLimits::default()).await;
    let mut link = client().open(relay.key(), tcp(&relay.addresses())).unwrap();
    assert_eq!(next(&mut link).await, RelayEvent::Up);
    let mut stream = relay.next().await;
    let mut peer = crate::common::node(2).await;
    peer.handle
        .dial(relay.handle.local_key(), tcp(&relay.addresses()))
        .unwrap();
    peer.sees(NetEvent::PeerConnected {
        peer: relay.handle.local_key(),
    })
    .await;
    link.send(b"still here").unwrap();
    assert_eq!(frame(&mut stream).await, b"still here");
}
