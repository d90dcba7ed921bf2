// SPDX-License-Identifier: MIT OR Apache-2.0
//! Nodes on loopback, and what they wait for.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    dead_code,
    unreachable_pub
)]

use std::time::Duration;

use comptoir_net::{Net, NetConfig, NetEvent, NetHandle, Seed};
use comptoir_protocol::id::PeerKey;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Longer than anything here takes on a crowded machine.
const PATIENCE: Duration = Duration::from_secs(30);

pub fn seed(number: u8) -> Seed {
    Seed::new([number; 32])
}

pub fn tcp(addresses: &[String]) -> Vec<String> {
    addresses
        .iter()
        .filter(|address| address.contains("/tcp/"))
        .cloned()
        .collect()
}

pub fn quic(addresses: &[String]) -> Vec<String> {
    addresses
        .iter()
        .filter(|address| address.contains("/quic-v1"))
        .cloned()
        .collect()
}

pub struct Node {
    pub handle: NetHandle,
    pub events: mpsc::Receiver<NetEvent>,
}

/// A node on loopback whose key follows from `number`.
pub async fn node(number: u8) -> Node {
    Node::start(NetConfig::loopback(seed(number))).await
}

pub async fn node_at(number: u8, addresses: Vec<String>) -> Node {
    Node::start(NetConfig::new(seed(number), addresses)).await
}

impl Node {
    pub async fn start(config: NetConfig) -> Self {
        let (handle, events) = Net::start(config).await.unwrap();
        Self { handle, events }
    }

    pub fn key(&self) -> PeerKey {
        self.handle.local_key()
    }

    /// The next event but `Listening`.
    pub async fn next(&mut self) -> NetEvent {
        loop {
            match timeout(PATIENCE, self.events.recv())
                .await
                .expect("an event in time")
                .expect("an open endpoint")
            {
                NetEvent::Listening { .. } => {}
                event => return event,
            }
        }
    }

    pub async fn sees(&mut self, expected: NetEvent) {
        assert_eq!(self.next().await, expected);
    }

    pub async fn frame_from(&mut self, other: &Node) -> Vec<u8> {
        match self.next().await {
            NetEvent::Frame { peer, bytes } if peer == other.key() => bytes,
            event => panic!("expected a frame, got {event:?}"),
        }
    }

    /// Dials `other` and waits until both sides are connected.
    pub async fn meets(&mut self, other: &mut Node, choose: fn(&[String]) -> Vec<String>) {
        self.handle
            .dial(other.key(), choose(&other.handle.listen_addresses()))
            .unwrap();
        self.sees(NetEvent::PeerConnected { peer: other.key() })
            .await;
        other
            .sees(NetEvent::PeerConnected { peer: self.key() })
            .await;
    }

    /// Waits until the connection to `other` is up and nothing more happens to it.
    pub async fn settles(&mut self, other: &Node) {
        let mut connected = false;
        loop {
            let quiet = if connected {
                Duration::from_millis(500)
            } else {
                PATIENCE
            };
            match timeout(quiet, self.events.recv()).await {
                Ok(Some(NetEvent::PeerConnected { peer })) if peer == other.key() => {
                    connected = true
                }
                Ok(Some(NetEvent::PeerDisconnected { peer })) if peer == other.key() => {
                    connected = false
                }
                Ok(Some(NetEvent::Listening { .. })) => {}
                Ok(event) => panic!("unexpected {event:?}"),
                Err(_) => {
                    assert!(connected, "no connection");
                    return;
                }
            }
        }
    }
}
