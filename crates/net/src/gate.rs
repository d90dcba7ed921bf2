// SPDX-License-Identifier: MIT OR Apache-2.0
//! The gate: how many inbound connections one source may have, and none at all when memory runs short.
//!
//! libp2p counts connections in all and of one peer, but a stranger makes a new peer key for each connection.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::behaviour::{ConnectionClosed, ListenFailure};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};
use thiserror::Error;

use crate::address;
use crate::system;

/// Memory is looked at no more often than this: reading it costs some 20 µs.
const MEMORY_LOOK_EVERY: Duration = Duration::from_secs(1);

/// Why a connection was turned away at the gate.
#[derive(Debug, Error)]
pub(crate) enum Denied {
    #[error("{source_ip} has {max} connections, which is the limit")]
    Source { source_ip: IpAddr, max: u32 },
    #[error("the remote address is no IP address")]
    NoSource,
    #[error("memory is short: {resident} bytes of at most {max} are in use")]
    Memory { resident: u64, max: u64 },
}

/// Counts inbound connections by source, from their first packet to their end.
pub(crate) struct Gate {
    per_source_max: u32,
    memory_max: Option<u64>,
    resident: Option<(Instant, u64)>,
    inbound: HashMap<ConnectionId, IpAddr>,
    sources: HashMap<IpAddr, u32>,
}

impl Gate {
    pub(crate) fn new(per_source_max: u32, memory_max: Option<u64>) -> Self {
        Self {
            per_source_max,
            memory_max,
            resident: None,
            inbound: HashMap::new(),
            sources: HashMap::new(),
        }
    }

    fn enter(&mut self, connection: ConnectionId, remote: &Multiaddr) -> Result<(), Denied> {
        let source = address::source(address::ip(remote).ok_or(Denied::NoSource)?);
        self.check_memory(Instant::now())?;
        let count = self.sources.entry(source).or_default();
        if *count >= self.per_source_max {
            return Err(Denied::Source {
                source_ip: source,
                max: self.per_source_max,
            });
        }
        *count += 1;
        self.inbound.insert(connection, source);
        Ok(())
    }

    fn leave(&mut self, connection: ConnectionId) {
        let Some(source) = self.inbound.remove(&connection) else {
            return;
        };
        if let Some(count) = self.sources.get_mut(&source) {
            *count -= 1;
            if *count == 0 {
                self.sources.remove(&source);
            }
        }
    }

    fn check_memory(&mut self, now: Instant) -> Result<(), Denied> {
        let Some(max) = self.memory_max else {
            return Ok(());
        };
        let resident = match self.resident {
            Some((seen, resident)) if now.duration_since(seen) < MEMORY_LOOK_EVERY => resident,
            _ => {
                self.resident
                    .insert((now, system::resident_bytes().unwrap_or(0)))
                    .1
            }
        };
        if resident > max {
            Err(Denied::Memory { resident, max })
        } else {
            Ok(())
        }
    }
}

impl NetworkBehaviour for Gate {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        connection: ConnectionId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        self.enter(connection, remote)
            .map_err(ConnectionDenied::new)
    }

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm) {
        match event {
            FromSwarm::ConnectionClosed(ConnectionClosed { connection_id, .. })
            | FromSwarm::ListenFailure(ListenFailure { connection_id, .. }) => {
                self.leave(connection_id)
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
    use super::*;

    fn connection(number: usize) -> ConnectionId {
        ConnectionId::new_unchecked(number)
    }

    #[test]
    fn a_source_has_its_share_and_gets_it_back() {
        let mut gate = Gate::new(2, None);
        let (here, there): (Multiaddr, Multiaddr) = (
            "/ip4/10.0.0.1/tcp/1".parse().unwrap(),
            "/ip4/10.0.0.2/tcp/1".parse().unwrap(),
        );
        gate.enter(connection(1), &here).unwrap();
        gate.enter(connection(2), &here).unwrap();
        assert!(matches!(
            gate.enter(connection(3), &here),
            Err(Denied::Source { max: 2, .. })
        ));
        gate.enter(connection(4), &there).unwrap();
        gate.leave(connection(3));
        assert!(gate.enter(connection(5), &here).is_err());
        gate.leave(connection(1));
        gate.leave(connection(1));
        gate.enter(connection(6), &here).unwrap();
        assert!(gate.enter(connection(7), &here).is_err());
        for number in [2, 4, 6] {
            gate.leave(connection(number));
        }
        assert!(gate.sources.is_empty() && gate.inbound.is_empty());
    }

    #[test]
    fn a_subnet_is_one_source() {
        let mut gate = Gate::new(1, None);
        gate.enter(
            connection(1),
            &"/ip6/2001:db8::1/udp/1/quic-v1".parse().unwrap(),
        )
        .unwrap();
        assert!(
            gate.enter(
                connection(2),
                &"/ip6/2001:db8::2/udp/1/quic-v1".parse().unwrap()
            )
            .is_err()
        );
        gate.enter(
            connection(3),
            &"/ip6/2001:db8:0:1::1/udp/1/quic-v1".parse().unwrap(),
        )
        .unwrap();
    }

    #[test]
    fn nobody_enters_when_memory_is_short() {
        let here: Multiaddr = "/ip4/10.0.0.1/tcp/1".parse().unwrap();
        assert!(matches!(
            Gate::new(9, Some(1)).enter(connection(1), &here),
            Err(Denied::Memory { .. })
        ));
        Gate::new(9, Some(u64::MAX))
            .enter(connection(1), &here)
            .unwrap();
    }
}
