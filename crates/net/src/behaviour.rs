// SPDX-License-Identifier: MIT OR Apache-2.0
//! The behaviours of one listening swarm, together. Alone in its file: the derive is the slowest thing to compile here.

use std::time::Duration;

use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::identify;
use libp2p::identity::PublicKey;
use libp2p::swarm::NetworkBehaviour;

use crate::config::NetLimits;
use crate::gate::Gate;
use crate::streams::Streams;

/// What every node says about itself, so that versions and builds cannot be told apart.
const AGENT: &str = "comptoir";

/// The protocol family told to identify.
const FAMILY: &str = "/comptoir/1";

/// How often identify repeats itself; nothing it says changes.
const IDENTIFY_EVERY: Duration = Duration::from_secs(3600);

/// Limits first: a connection they refuse costs the others nothing.
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    gate: Gate,
    limits: connection_limits::Behaviour,
    identify: identify::Behaviour,
    pub(crate) streams: Streams,
}

impl Behaviour {
    pub(crate) fn new(key: PublicKey, limits: &NetLimits, accepted: &[&'static str]) -> Self {
        let counts = ConnectionLimits::default()
            .with_max_pending_incoming(Some(limits.connections_pending_max))
            .with_max_pending_outgoing(Some(limits.connections_pending_max))
            .with_max_established_per_peer(Some(limits.connections_per_peer_max))
            .with_max_established(Some(limits.connections_max));
        let identify = identify::Config::new(FAMILY.into(), key)
            .with_agent_version(AGENT.into())
            .with_hide_listen_addrs(true)
            .with_cache_size(0)
            .with_interval(IDENTIFY_EVERY);
        Self {
            gate: Gate::new(limits.connections_per_ip_max, limits.memory_bytes_max),
            limits: connection_limits::Behaviour::new(counts),
            identify: identify::Behaviour::new(identify),
            streams: Streams::new(accepted),
        }
    }
}
