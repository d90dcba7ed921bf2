// SPDX-License-Identifier: MIT OR Apache-2.0
//! A hostile peer with a bare stream: what it sends harms its own stream and nothing else.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::time::Duration;

use comptoir_protocol::id::PeerKey;
use comptoir_protocol::limits::FRAME_BYTES_MAX;
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::identity::Keypair;
use libp2p::swarm::{self, Stream, Swarm, SwarmEvent};
use libp2p::{Multiaddr, PeerId, identify};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::config::{NetConfig, RelayLimits, Seed};
use crate::error::{DialFailure, StreamError};
use crate::relay_client::connection::{Connection, open_protocol, open_stream};
use crate::streams::{MAILBOX_PROTOCOL, PEER_PROTOCOL, Streams};
use crate::{Net, NetEvent, NetHandle, address, transport};

const PATIENCE: Duration = Duration::from_secs(30);

struct Victim {
    handle: NetHandle,
    events: mpsc::Receiver<NetEvent>,
}

impl Victim {
    async fn start() -> Self {
        let (handle, events) = Net::start(NetConfig::loopback(Seed::new([1; 32])))
            .await
            .unwrap();
        Self { handle, events }
    }

    async fn next(&mut self) -> NetEvent {
        loop {
            match timeout(PATIENCE, self.events.recv())
                .await
                .unwrap()
                .unwrap()
            {
                NetEvent::Listening { .. } => {}
                event => return event,
            }
        }
    }

    fn peer_id(&self) -> PeerId {
        address::peer_id(&self.handle.local_key().0).unwrap()
    }

    async fn attacked(&self, protocol: &'static str) -> Result<Connection, DialFailure> {
        let addresses = self.handle.listen_addresses();
        let tcp: Vec<String> = addresses
            .into_iter()
            .filter(|address| address.contains("tcp"))
            .collect();
        open_protocol(&self.peer_id(), &tcp, protocol).await
    }
}

/// Runs an attacker's swarm beside its streams, and hands it back with `stop`.
async fn beside<T>(swarm: &mut Swarm<Streams>, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = swarm.select_next_some() => {}
        }
    }
}

/// Sends `bytes` and waits until the victim has closed the stream.
async fn is_closed_after(
    swarm: &mut Swarm<Streams>,
    mut stream: Stream,
    bytes: &[u8],
    close: bool,
) {
    beside(swarm, async {
        // The victim may close before all is written.
        let _ = stream.write_all(bytes).await;
        let _ = stream.flush().await;
        if close {
            let _ = stream.close().await;
        }
        let mut rest = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut rest))
            .await
            .expect("the stream is closed");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_frames_close_their_stream_and_not_the_connection() {
    let mut victim = Victim::start().await;
    let Connection {
        swarm: mut attacker,
        id,
        stream: first,
    } = victim.attacked(PEER_PROTOCOL).await.unwrap();
    let peer = PeerKey(address::key(attacker.local_peer_id()).unwrap());
    let over = u32::try_from(FRAME_BYTES_MAX + 1)
        .unwrap()
        .to_be_bytes()
        .to_vec();
    let garbage: Vec<u8> = (0..2000u32)
        .map(|n| u8::try_from(n * 7919 % 256).unwrap() | 0x80)
        .collect();
    let truncated = [&100u32.to_be_bytes()[..], b"only this"].concat();
    let mut stream = Some(first);
    for (bytes, close) in [
        (vec![0xff; 64], false),
        (over, false),
        (garbage, false),
        (truncated, true),
    ] {
        let stream = match stream.take() {
            Some(stream) => stream,
            None => open_stream(&mut attacker, victim.peer_id(), id, PEER_PROTOCOL)
                .await
                .unwrap(),
        };
        assert_eq!(victim.next().await, NetEvent::PeerConnected { peer });
        is_closed_after(&mut attacker, stream, &bytes, close).await;
        assert_eq!(victim.next().await, NetEvent::PeerDisconnected { peer });
    }
    // The same connection still carries a well-behaved stream.
    let mut good = open_stream(&mut attacker, victim.peer_id(), id, PEER_PROTOCOL)
        .await
        .unwrap();
    beside(&mut attacker, async {
        good.write_all(b"\0\0\0\0\0\0\0\x04fine").await.unwrap();
        good.flush().await.unwrap();
        assert_eq!(victim.next().await, NetEvent::PeerConnected { peer });
        assert_eq!(
            victim.next().await,
            NetEvent::Frame {
                peer,
                bytes: b"fine".to_vec()
            }
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_streams_of_one_peer_leave_one_session() {
    let mut victim = Victim::start().await;
    let Connection {
        swarm: mut attacker,
        id,
        stream: first,
    } = victim.attacked(PEER_PROTOCOL).await.unwrap();
    let peer = PeerKey(address::key(attacker.local_peer_id()).unwrap());
    let mut held = vec![first];
    for _ in 0..40 {
        if let Ok(stream) = open_stream(&mut attacker, victim.peer_id(), id, PEER_PROTOCOL).await {
            held.push(stream);
        }
    }
    // Connected and disconnected alternate however fast the streams come, and the newest one works.
    let mut last = held.pop().unwrap();
    let mut connected = false;
    beside(&mut attacker, async {
        last.write_all(b"\0\0\0\x04last").await.unwrap();
        last.flush().await.unwrap();
        loop {
            match victim.next().await {
                NetEvent::PeerConnected { .. } => assert!(!std::mem::replace(&mut connected, true)),
                NetEvent::PeerDisconnected { .. } => {
                    assert!(std::mem::replace(&mut connected, false))
                }
                NetEvent::Frame { peer: from, bytes } => {
                    assert_eq!(
                        (from, bytes.as_slice(), connected),
                        (peer, &b"last"[..], true)
                    );
                    return;
                }
                other => panic!("{other:?}"),
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_version_of_the_protocol_is_refused_by_name() {
    let victim = Victim::start().await;
    let refused = victim.attacked("/comptoir/peer/2").await.err();
    assert_eq!(
        refused,
        Some(DialFailure::ProtocolUnsupported {
            protocol: "/comptoir/peer/2"
        })
    );
    // A node that is no relay does not take mailbox streams.
    let refused = victim.attacked(MAILBOX_PROTOCOL).await.err();
    assert_eq!(
        refused,
        Some(DialFailure::ProtocolUnsupported {
            protocol: MAILBOX_PROTOCOL
        })
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_of_another_version_is_a_typed_failure_of_the_dial() {
    let mut newer = listening_swarm("/comptoir/peer/2");
    newer
        .listen_on("/ip4/127.0.0.1/tcp/0".parse().unwrap())
        .unwrap();
    let at = loop {
        if let SwarmEvent::NewListenAddr { address, .. } = newer.select_next_some().await {
            break address.to_string();
        }
    };
    let peer = PeerKey(address::key(newer.local_peer_id()).unwrap());
    let mut node = Victim::start().await;
    node.handle.dial(peer, vec![at]).unwrap();
    let said = beside(&mut newer, node.next()).await;
    let reason = DialFailure::ProtocolUnsupported {
        protocol: PEER_PROTOCOL,
    };
    assert_eq!(said, NetEvent::DialFailed { peer, reason });
    assert!(!node.handle.is_connected(&peer));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn identify_tells_no_address_and_no_version() {
    let victim = Victim::start().await;
    let keypair = Keypair::generate_ed25519();
    let asking =
        identify::Behaviour::new(identify::Config::new("/test/1".into(), keypair.public()));
    let config = swarm::Config::with_tokio_executor();
    let transport = transport::build(&keypair).unwrap();
    let mut swarm = Swarm::new(transport, asking, keypair.public().to_peer_id(), config);
    let address: Multiaddr = victim.handle.listen_addresses()[0].parse().unwrap();
    swarm.dial(address).unwrap();
    let told = timeout(PATIENCE, async {
        loop {
            if let SwarmEvent::Behaviour(identify::Event::Received { info, .. }) =
                swarm.select_next_some().await
            {
                return info;
            }
        }
    });
    let told = told.await.unwrap();
    assert_eq!(told.agent_version, "comptoir");
    assert_eq!(told.protocol_version, "/comptoir/1");
    assert!(told.listen_addrs.is_empty(), "{:?}", told.listen_addrs);
}

fn listening_swarm(protocol: &'static str) -> Swarm<Streams> {
    let keypair = Keypair::generate_ed25519();
    let config =
        swarm::Config::with_tokio_executor().with_idle_connection_timeout(Duration::from_secs(30));
    let transport = transport::build(&keypair).unwrap();
    Swarm::new(
        transport,
        Streams::new(&[protocol]),
        keypair.public().to_peer_id(),
        config,
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_frame_on_a_mailbox_stream_is_a_typed_end() {
    let config = NetConfig::loopback(Seed::new([1; 32]));
    let limits = RelayLimits {
        streams_per_connection_max: 2,
        ..RelayLimits::default()
    };
    let (handle, events, mut acceptor) = Net::start_relay(config, limits).await.unwrap();
    let relay = Victim { handle, events };
    let Connection {
        swarm: mut attacker,
        id,
        stream: mut first,
    } = relay.attacked(MAILBOX_PROTOCOL).await.unwrap();
    let mut served = acceptor.next().await.unwrap();
    beside(&mut attacker, async {
        first.write_all(&u32::MAX.to_be_bytes()).await.unwrap();
        first.flush().await.unwrap();
        assert_eq!(
            timeout(PATIENCE, served.recv()).await.unwrap(),
            Err(StreamError::TooLong {
                claimed: u32::MAX,
                max: FRAME_BYTES_MAX
            })
        );
    })
    .await;
    // Of further streams on this connection one finds a place; the third is closed at once.
    let _second = open_stream(&mut attacker, relay.peer_id(), id, MAILBOX_PROTOCOL)
        .await
        .unwrap();
    let third = open_stream(&mut attacker, relay.peer_id(), id, MAILBOX_PROTOCOL)
        .await
        .unwrap();
    is_closed_after(&mut attacker, third, b"", false).await;
    let again = acceptor.next().await.unwrap();
    assert_eq!(again.connection(), served.connection());
    assert!(
        timeout(Duration::from_millis(100), acceptor.next())
            .await
            .is_err()
    );
}
