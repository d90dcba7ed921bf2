// SPDX-License-Identifier: MIT OR Apache-2.0
//! Peers talk on loopback: both transports, both ways, and what happens when one of them misbehaves or goes away.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::time::{Duration, Instant};

use crate::common::{Node, node, node_at, quic, seed, tcp};
use comptoir_net::{DialFailure, Net, NetConfig, NetError, NetEvent, QUEUE_BYTES_MAX, SendError};
use comptoir_protocol::id::PeerKey;
use comptoir_protocol::limits::FRAME_BYTES_MAX;

/// Whom to dial, where, and whether this is the failure to expect.
type Case = (PeerKey, Vec<String>, fn(&DialFailure) -> bool);

async fn talk_both_ways(choose: fn(&[String]) -> Vec<String>) {
    let (mut alice, mut bob) = (node(1).await, node(2).await);
    alice.meets(&mut bob, choose).await;

    alice.handle.send(&bob.key(), b"hello bob").unwrap();
    assert_eq!(bob.frame_from(&alice).await, b"hello bob");
    bob.handle.send(&alice.key(), b"hello alice").unwrap();
    assert_eq!(alice.frame_from(&bob).await, b"hello alice");

    let largest = vec![7; FRAME_BYTES_MAX];
    alice.handle.send(&bob.key(), &largest).unwrap();
    assert_eq!(bob.frame_from(&alice).await, largest);

    let over = alice.handle.send(&bob.key(), &vec![7; FRAME_BYTES_MAX + 1]);
    assert!(matches!(over, Err(SendError::TooLong { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_talk_over_tcp() {
    talk_both_ways(tcp).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_talk_over_quic() {
    talk_both_ways(quic).await;
}

async fn ten_thousand(choose: fn(&[String]) -> Vec<String>) {
    const COUNT: u32 = 10_000;
    let (mut alice, mut bob) = (node(1).await, node(2).await);
    alice.meets(&mut bob, choose).await;
    let (sender, to) = (alice.handle.clone(), bob.key());
    let sending = tokio::spawn(async move {
        for number in 0..COUNT {
            let mut frame = number.to_be_bytes().to_vec();
            frame.resize(4 + (number as usize * 37) % 900, 5);
            while let Err(error) = sender.send(&to, &frame) {
                assert_eq!(error, SendError::Full);
                tokio::task::yield_now().await;
            }
        }
    });
    for number in 0..COUNT {
        let frame = bob.frame_from(&alice).await;
        assert_eq!(frame[..4], number.to_be_bytes());
        assert_eq!(frame.len(), 4 + (number as usize * 37) % 900);
    }
    sending.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_frames_arrive_in_order_over_tcp() {
    ten_thousand(tcp).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_frames_arrive_in_order_over_quic() {
    ten_thousand(quic).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quic_is_dialled_when_no_tcp_address_answers() {
    let (mut alice, mut bob) = (node(1).await, node(2).await);
    let mut addresses = vec!["/ip4/127.0.0.1/tcp/1".to_string()];
    addresses.extend(quic(&bob.handle.listen_addresses()));
    alice.handle.dial(bob.key(), addresses).unwrap();
    alice
        .sees(NetEvent::PeerConnected { peer: bob.key() })
        .await;
    bob.sees(NetEvent::PeerConnected { peer: alice.key() })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_key_at_the_address_is_never_a_connection() {
    let (mut alice, bob) = (node(1).await, node(2).await);
    let somebody_else = comptoir_net_key(9).await;
    for choose in [tcp, quic] {
        alice
            .handle
            .dial(somebody_else, choose(&bob.handle.listen_addresses()))
            .unwrap();
        match alice.next().await {
            NetEvent::DialFailed {
                peer,
                reason: DialFailure::WrongKey { found, .. },
            } => {
                assert_eq!((peer, found), (somebody_else, Some(bob.key())));
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(!alice.handle.is_connected(&bob.key()) && !alice.handle.is_connected(&somebody_else));
    assert_eq!(
        alice.handle.send(&somebody_else, b"secret"),
        Err(SendError::NotConnected)
    );
    drop(bob);
}

async fn comptoir_net_key(number: u8) -> PeerKey {
    node(number).await.key()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stale_address_does_not_hide_a_good_one() {
    let (mut alice, mut bob, carol) = (node(1).await, node(2).await, node(3).await);
    let mut addresses = tcp(&carol.handle.listen_addresses());
    addresses.extend(tcp(&bob.handle.listen_addresses()));
    alice.handle.dial(bob.key(), addresses).unwrap();
    alice
        .sees(NetEvent::PeerConnected { peer: bob.key() })
        .await;
    bob.sees(NetEvent::PeerConnected { peer: alice.key() })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_dial_that_cannot_succeed_says_why() {
    let mut alice = node(1).await;
    let bob = comptoir_net_key(2).await;
    let off_curve = (0u8..=255).map(|n| PeerKey([n; 32])).find(|key| {
        comptoir_net::RelayNet::start(Default::default())
            .open(comptoir_protocol::id::RelayKey(key.0), vec![])
            .is_err()
    });
    let cases: Vec<Case> = vec![
        (bob, vec!["/ip4/127.0.0.1/tcp/1".into()], |f| {
            matches!(f, DialFailure::Unreachable(_))
        }),
        (bob, vec![], |f| *f == DialFailure::NoAddress),
        (bob, vec!["nonsense".into(), "/memory/1".into()], |f| {
            *f == DialFailure::NoAddress
        }),
        (alice.key(), tcp(&alice.handle.listen_addresses()), |f| {
            *f == DialFailure::Myself
        }),
        (
            off_curve.unwrap(),
            vec!["/ip4/127.0.0.1/tcp/1".into()],
            |f| *f == DialFailure::BadKey,
        ),
    ];
    for (peer, addresses, expected) in cases {
        alice.handle.dial(peer, addresses).unwrap();
        match alice.next().await {
            NetEvent::DialFailed {
                peer: failed,
                reason,
            } => assert!(failed == peer && expected(&reason), "{reason:?}"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_left_is_reported_and_comes_back() {
    let (mut alice, mut bob) = (node(1).await, node(2).await);
    alice.meets(&mut bob, tcp).await;
    let (key, addresses) = (bob.key(), bob.handle.listen_addresses());
    bob.handle.shutdown().await;
    drop(bob);
    alice.sees(NetEvent::PeerDisconnected { peer: key }).await;
    assert_eq!(
        alice.handle.send(&key, b"anybody"),
        Err(SendError::NotConnected)
    );

    let mut bob = node_at(2, tcp(&addresses)).await;
    alice.meets(&mut bob, tcp).await;
    alice.handle.send(&key, b"again").unwrap();
    assert_eq!(bob.frame_from(&alice).await, b"again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_came_back_under_its_key_replaces_its_old_self() {
    let (mut alice, mut bob) = (node(1).await, node(2).await);
    bob.meets(&mut alice, tcp).await;
    // A second process with bob's key, as after a crash that alice has not noticed.
    let mut bob_again = node(2).await;
    bob_again
        .handle
        .dial(alice.key(), tcp(&alice.handle.listen_addresses()))
        .unwrap();
    bob_again
        .sees(NetEvent::PeerConnected { peer: alice.key() })
        .await;
    alice
        .sees(NetEvent::PeerDisconnected { peer: bob.key() })
        .await;
    alice
        .sees(NetEvent::PeerConnected { peer: bob.key() })
        .await;
    alice.handle.send(&bob.key(), b"which one").unwrap();
    assert_eq!(bob_again.frame_from(&alice).await, b"which one");
    bob.sees(NetEvent::PeerDisconnected { peer: alice.key() })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disconnect_closes_both_sides_and_a_new_dial_works() {
    let (mut alice, mut bob) = (node(1).await, node(2).await);
    alice.meets(&mut bob, tcp).await;
    alice.handle.disconnect(bob.key()).unwrap();
    alice
        .sees(NetEvent::PeerDisconnected { peer: bob.key() })
        .await;
    bob.sees(NetEvent::PeerDisconnected { peer: alice.key() })
        .await;
    alice.meets(&mut bob, tcp).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_dial_at_once_and_one_connection_stays() {
    for round in 0..8u8 {
        let (mut alice, mut bob) = (node(1 + round).await, node(101 + round).await);
        alice
            .handle
            .dial(bob.key(), tcp(&bob.handle.listen_addresses()))
            .unwrap();
        bob.handle
            .dial(alice.key(), tcp(&alice.handle.listen_addresses()))
            .unwrap();
        alice.settles(&bob).await;
        bob.settles(&alice).await;
        alice.handle.send(&bob.key(), b"from alice").unwrap();
        bob.handle.send(&alice.key(), b"from bob").unwrap();
        assert_eq!(bob.frame_from(&alice).await, b"from alice", "round {round}");
        assert_eq!(alice.frame_from(&bob).await, b"from bob", "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_node_makes_a_slow_peer_and_the_queue_fills() {
    let (mut alice, mut bob) = (node(1).await, node(2).await);
    alice.meets(&mut bob, tcp).await;
    // Bob takes no events. What alice can get rid of is bounded by the windows and queues between them.
    let frame = vec![3; 32 << 10];
    let (mut taken, mut refused_since) = (0usize, None::<Instant>);
    while refused_since.is_none_or(|since| since.elapsed() < Duration::from_secs(2)) {
        match alice.handle.send(&bob.key(), &frame) {
            Ok(()) => {
                taken += 1;
                refused_since = None;
            }
            Err(SendError::Full) => {
                refused_since.get_or_insert_with(Instant::now);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Err(other) => panic!("{other}"),
        }
    }
    let bytes = taken * frame.len();
    // Alice's queue and the batch being written, bob's events, and yamux's window with the sockets' buffers.
    let bound = 2 * QUEUE_BYTES_MAX + comptoir_net::EVENTS_MAX * frame.len() + (24 << 20);
    assert!(
        bytes >= QUEUE_BYTES_MAX && bytes < bound,
        "{bytes} bytes were taken, bound {bound}"
    );
    println!("a node that reads nothing was sent {} KiB", bytes >> 10);

    // Nothing of it is lost once bob reads again.
    for _ in 0..taken {
        assert_eq!(bob.frame_from(&alice).await.len(), frame.len());
    }
    alice.handle.send(&bob.key(), b"and on").unwrap();
    assert_eq!(bob.frame_from(&alice).await, b"and on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_source_gets_its_share_of_connections_and_no_more() {
    let mut config = NetConfig::loopback(seed(1));
    config.limits.connections_per_ip_max = 2;
    let mut shop = Node::start(config).await;
    let (mut first, mut second, mut third) = (node(2).await, node(3).await, node(4).await);
    first.meets(&mut shop, tcp).await;
    second.meets(&mut shop, quic).await;
    third
        .handle
        .dial(shop.key(), tcp(&shop.handle.listen_addresses()))
        .unwrap();
    match third.next().await {
        NetEvent::DialFailed {
            peer,
            reason: DialFailure::Unreachable(_),
        } => assert_eq!(peer, shop.key()),
        other => panic!("{other:?}"),
    }
    first.handle.shutdown().await;
    shop.sees(NetEvent::PeerDisconnected { peer: first.key() })
        .await;
    third.meets(&mut shop, tcp).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_in_all_are_bounded_both_ways() {
    let mut config = NetConfig::loopback(seed(1));
    config.limits.connections_max = 1;
    let mut shop = Node::start(config).await;
    let (mut first, mut second) = (node(2).await, node(3).await);
    first.meets(&mut shop, tcp).await;
    // Refused after the handshake, so the dialler sees a connection that ends at once.
    second
        .handle
        .dial(shop.key(), tcp(&shop.handle.listen_addresses()))
        .unwrap();
    match second.next().await {
        NetEvent::DialFailed { peer, .. } => assert_eq!(peer, shop.key()),
        other => panic!("{other:?}"),
    }
    // Our own dial beyond the limit says that it was the limit.
    shop.handle
        .dial(second.key(), tcp(&second.handle.listen_addresses()))
        .unwrap();
    match shop.next().await {
        NetEvent::DialFailed {
            reason: DialFailure::Limited(_),
            ..
        } => {}
        other => panic!("{other:?}"),
    }
    first.handle.send(&shop.key(), b"unharmed").unwrap();
    assert_eq!(shop.frame_from(&first).await, b"unharmed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_listen_addresses_are_typed_errors() {
    let listening = node(1).await;
    let taken = tcp(&listening.handle.listen_addresses());
    for (addresses, is_listen) in [
        (vec!["nonsense".to_string()], false),
        (vec!["/memory/7".into()], false),
        (taken, true),
    ] {
        match Net::start(NetConfig::new(seed(2), addresses)).await {
            Err(NetError::BadAddress { .. }) => assert!(!is_listen),
            Err(NetError::Listen { .. }) => assert!(is_listen),
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("must not listen"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everywhere_listens_on_more_than_loopback() {
    let node = Node::start(NetConfig::everywhere(seed(1), 0)).await;
    let addresses = node.handle.listen_addresses();
    assert!(
        !tcp(&addresses).is_empty() && !quic(&addresses).is_empty(),
        "{addresses:?}"
    );
}

#[tokio::test(flavor = "current_thread")]
async fn tasks_end_with_the_handle_or_the_receiver() {
    let alive = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    let before = alive();
    for keep_events in [true, false] {
        let (mut alice, mut bob) = (node(1).await, node(2).await);
        alice.meets(&mut bob, tcp).await;
        assert!(alive() > before);
        let (
            Node {
                handle: a,
                events: a_events,
            },
            Node {
                handle: b,
                events: b_events,
            },
        ) = (alice, bob);
        let kept = if keep_events {
            drop((a, b));
            (Some((a_events, b_events)), None)
        } else {
            drop((a_events, b_events));
            (None, Some((a, b)))
        };
        let deadline = Instant::now() + Duration::from_secs(20);
        while alive() > before && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(alive(), before, "kept events: {keep_events}");
        if let (_, Some((a, b))) = &kept {
            assert_eq!(a.send(&b.local_key(), b"x"), Err(SendError::Stopped));
            assert_eq!(a.dial(b.local_key(), vec![]), Err(SendError::Stopped));
        }
    }
}
