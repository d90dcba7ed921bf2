// SPDX-License-Identifier: MIT OR Apache-2.0
//! The configuration: what a network endpoint listens on, and every bound it keeps.

use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::system;

/// Connections that may be in their handshake at once. A handshake costs about 0.3 ms of CPU, so 128 are some
/// 40 ms of work: a flood of half-open connections waits in the kernel's backlog, not in this process.
pub const CONNECTIONS_PENDING_MAX: u32 = 128;

/// Connections of one peer. Two meet when both sides dial at once, one more while a dead one is replaced.
pub const CONNECTIONS_PER_PEER_MAX: u32 = 4;

/// Connections from one IPv4 address or one IPv6 /64. A household or an office behind one address stays under it.
pub const CONNECTIONS_PER_IP_MAX: u32 = 64;

/// File descriptors kept back from connections: store, logs, API and outgoing dials.
const DESCRIPTORS_RESERVED: u64 = 128;

/// Bytes of frames that may wait for one peer: 4 MiB is one minute of a 0.5 Mbit/s line.
/// Full: `send` answers [`SendError::Full`](crate::SendError::Full) and keeps nothing.
pub const QUEUE_BYTES_MAX: usize = 4 << 20;

/// Bytes of frames that may wait for all peers of one endpoint together.
pub const QUEUES_BYTES_MAX: usize = 64 << 20;

/// Events that may wait for the node. With frames of at most 64 KiB this is about 16 MiB.
/// Full: reading stops, and the sender's window closes. Nothing is dropped.
pub const EVENTS_MAX: usize = 256;

/// Commands (dial, disconnect) that may wait for the swarm. Full: the call answers `Full`.
pub const COMMANDS_MAX: usize = 1024;

/// Addresses taken from one dial; the rest are ignored.
pub const ADDRESSES_MAX: usize = 16;

/// After this long without a frame each side of a peer stream writes an empty one as a sign of life.
pub const KEEPALIVE: Duration = Duration::from_secs(45);

/// A stream on which nothing arrived for this long is dead: three signs of life were missed.
pub const SILENCE_MAX: Duration = Duration::from_secs(150);

/// A write that makes no progress for this long ends the stream.
pub const WRITE_STALL_MAX: Duration = Duration::from_secs(60);

const _: () = assert!(SILENCE_MAX.as_secs() >= 3 * KEEPALIVE.as_secs());
const _: () = assert!(QUEUES_BYTES_MAX >= 8 * QUEUE_BYTES_MAX);

/// The 32 secret bytes of an Ed25519 transport identity. Wiped when dropped, never printed.
#[derive(Clone)]
pub struct Seed(Zeroizing<[u8; 32]>);

impl Seed {
    /// Takes the secret bytes of an Ed25519 key.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub(crate) fn bytes(&self) -> Zeroizing<[u8; 32]> {
        self.0.clone()
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_) = self;
        f.write_str("Seed(secret)")
    }
}

/// What an endpoint listens on and what it allows.
#[derive(Clone, Debug)]
pub struct NetConfig {
    /// The transport identity. It is known to those who connect, and is none of the account's keys.
    pub seed: Seed,
    /// Multiaddrs to listen on, such as `/ip4/0.0.0.0/tcp/0` or `/ip4/0.0.0.0/udp/0/quic-v1`. Empty: nobody can dial us.
    pub listen: Vec<String>,
    /// Bounds of connections and memory.
    pub limits: NetLimits,
}

impl NetConfig {
    /// Listens on `listen` with the default limits.
    pub fn new(seed: Seed, listen: Vec<String>) -> Self {
        Self {
            seed,
            listen,
            limits: NetLimits::default(),
        }
    }

    /// Listens on loopback, TCP and QUIC, on ports the system chooses.
    pub fn loopback(seed: Seed) -> Self {
        Self::new(
            seed,
            vec![
                "/ip4/127.0.0.1/tcp/0".into(),
                "/ip4/127.0.0.1/udp/0/quic-v1".into(),
            ],
        )
    }

    /// Listens on every IPv4 and IPv6 interface, TCP and QUIC, on one port number (0: the system chooses).
    pub fn everywhere(seed: Seed, port: u16) -> Self {
        Self::new(
            seed,
            vec![
                format!("/ip4/0.0.0.0/tcp/{port}"),
                format!("/ip4/0.0.0.0/udp/{port}/quic-v1"),
                format!("/ip6/::/tcp/{port}"),
                format!("/ip6/::/udp/{port}/quic-v1"),
            ],
        )
    }
}

/// Bounds of connections and memory of one endpoint.
#[derive(Clone, Debug)]
pub struct NetLimits {
    /// Established connections, both directions. If left unset: 80 % of the file descriptors, less 128.
    pub connections_max: u32,
    /// Connections in their handshake, each direction. Defaults to 128.
    pub connections_pending_max: u32,
    /// Connections of one peer. Defaults to 4.
    pub connections_per_peer_max: u32,
    /// Inbound connections of one IPv4 address or IPv6 /64. Defaults to 64.
    pub connections_per_ip_max: u32,
    /// Resident bytes of the process above which no inbound connection is taken. If left unset: 80 % of what the
    /// cgroup or the machine has; where neither can be read there is no such limit.
    pub memory_bytes_max: Option<u64>,
}

impl Default for NetLimits {
    fn default() -> Self {
        Self {
            connections_max: connections_max(system::descriptors_max()),
            connections_pending_max: CONNECTIONS_PENDING_MAX,
            connections_per_peer_max: CONNECTIONS_PER_PEER_MAX,
            connections_per_ip_max: CONNECTIONS_PER_IP_MAX,
            memory_bytes_max: system::memory_bytes().map(|bytes| bytes / 5 * 4),
        }
    }
}

/// 80 % of the descriptors, less the reserve, and at least 16 so that a tight limit leaves a usable node.
fn connections_max(descriptors: u64) -> u32 {
    let share = (descriptors / 5 * 4)
        .saturating_sub(DESCRIPTORS_RESERVED)
        .max(16);
    u32::try_from(share).unwrap_or(u32::MAX)
}

/// What a relay allows on its mailbox streams.
#[derive(Clone, Debug)]
pub struct RelayLimits {
    /// Mailbox streams in all. Full: a new one is closed at once. Defaults to 16,384.
    pub streams_max: usize,
    /// Mailbox streams of one connection. Defaults to 4.
    pub streams_per_connection_max: usize,
    /// Frames one stream may send.
    pub stream_rate: Rate,
    /// Frames all streams of one IPv4 address or IPv6 /64 may send together.
    pub ip_rate: Rate,
    /// A stream on which nothing arrived for this long is closed. Defaults to 150 s; clients write every 45 s.
    pub silence_max: Duration,
}

impl Default for RelayLimits {
    fn default() -> Self {
        Self {
            streams_max: 16_384,
            streams_per_connection_max: 4,
            // A node that deposits full speed sends some 1,200 envelopes a second (70,000 messages, 64 each).
            stream_rate: Rate {
                per_second: 4_000,
                burst: 8_000,
            },
            ip_rate: Rate {
                per_second: 16_000,
                burst: 32_000,
            },
            silence_max: SILENCE_MAX,
        }
    }
}

/// A token bucket's size and speed. Empty: the reader waits, so the sender is slowed; nothing is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Frames a second, at least 1.
    pub per_second: u32,
    /// Frames that may come at once after a pause, at least 1.
    pub burst: u32,
}

/// How links to relays come back.
#[derive(Clone, Debug)]
pub struct RelayNetConfig {
    /// Links one `RelayNet` may hold. Defaults to 64.
    pub links_max: usize,
    /// First pause after a failure; it doubles each time. Defaults to 250 ms.
    pub backoff_min: Duration,
    /// Longest pause. Each pause is shortened by up to half at random, so that a relay's clients do not return in step.
    /// Defaults to 60 s.
    pub backoff_max: Duration,
}

impl Default for RelayNetConfig {
    fn default() -> Self {
        Self {
            links_max: 64,
            backoff_min: Duration::from_millis(250),
            backoff_max: Duration::from_secs(60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_follow_the_descriptors() {
        assert_eq!(connections_max(1024), 688);
        assert_eq!(connections_max(20_000), 15_872);
        assert_eq!(connections_max(100), 16);
        assert_eq!(connections_max(u64::MAX), u32::MAX);
    }

    #[test]
    fn a_seed_is_never_printed() {
        assert_eq!(format!("{:?}", Seed::new([7; 32])), "Seed(secret)");
    }
}
