// SPDX-License-Identifier: MIT OR Apache-2.0
//! libp2p, and nothing else touches libp2p: frames over streams, connections, addresses.
//!
//! Keys are 32 bytes, addresses are multiaddr texts, a frame is bytes. What the frames mean is not known here.
//!
//! - [`Net::start`] gives a [`NetHandle`] and [`NetEvent`]s: one long-lived stream to each connected peer
//!   (`/comptoir/peer/1`), whose waiting frames share one write.
//! - [`RelayNet`] keeps [`RelayLink`]s to relays (`/comptoir/mailbox/1`), each under a key of its own that is thrown
//!   away, and brings them back when they fall.
//! - [`Net::start_relay`] gives a [`RelayAcceptor`] besides: the other end of those links.
//!
//! Every queue here is bounded and says what happens when it is full. Whoever reads slowly slows those who write to
//! it; nothing that was taken is dropped while its stream lives.

mod address;
mod behaviour;
mod bucket;
mod config;
mod error;
mod framing;
mod gate;
mod handle;
pub mod limits_probe;
mod muxer;
mod peers;
mod queue;
mod relay_client;
mod relay_server;
mod session;
mod streams;
mod swarm;
mod system;
mod transport;

pub use config::{
    ADDRESSES_MAX, COMMANDS_MAX, CONNECTIONS_PENDING_MAX, CONNECTIONS_PER_IP_MAX,
    CONNECTIONS_PER_PEER_MAX, EVENTS_MAX, KEEPALIVE, NetConfig, NetLimits, QUEUE_BYTES_MAX,
    QUEUES_BYTES_MAX, Rate, RelayLimits, RelayNetConfig, SILENCE_MAX, Seed, WRITE_STALL_MAX,
};
pub use error::{DialFailure, NetError, OpenError, RelayDown, SendError, StreamError};
pub use handle::{Net, NetEvent, NetHandle};
pub use queue::FrameSender;
pub use relay_client::{RelayEvent, RelayLink, RelayNet, RelaySender};
pub use relay_server::{RelayAcceptor, RelayStream};
