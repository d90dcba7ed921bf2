// SPDX-License-Identifier: MIT OR Apache-2.0
//! The streams behaviour: hands every stream of our protocols to the swarm's loop, with its connection.
//!
//! `libp2p-stream` would do for a prototype. It drops inbound streams when its acceptor is late, opens outbound ones
//! on a connection of its own choosing, does not say on which connection a stream came, and keeps an entry for every
//! connection there ever was. Here a stream is an event of its connection, so it waits its turn and is counted there.

mod handler;

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler, Stream,
    StreamProtocol, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};

pub(crate) use handler::OpenFailure;
use handler::{Handler, HandlerEvent};

/// Peer to peer.
pub(crate) const PEER_PROTOCOL: &str = "/comptoir/peer/1";
/// Node to relay.
pub(crate) const MAILBOX_PROTOCOL: &str = "/comptoir/mailbox/1";
/// Measuring what the transport itself can do.
pub(crate) const PROBE_PROTOCOL: &str = "/comptoir/probe/1";

/// What happened to a stream.
#[derive(Debug)]
pub(crate) enum StreamEvent {
    /// The other side opened one.
    Inbound {
        peer: PeerId,
        connection: ConnectionId,
        protocol: StreamProtocol,
        stream: Stream,
    },
    /// The one we asked for is open.
    Opened {
        peer: PeerId,
        connection: ConnectionId,
        stream: Stream,
    },
    /// The one we asked for is not.
    OpenFailed {
        peer: PeerId,
        connection: ConnectionId,
        failure: OpenFailure,
    },
}

/// Opens and accepts streams of the protocols it was made for.
pub(crate) struct Streams {
    accepted: Vec<StreamProtocol>,
    events: VecDeque<ToSwarm<StreamEvent, StreamProtocol>>,
    waker: Option<Waker>,
}

impl Streams {
    /// Accepts `accepted`, and opens whatever [`open`](Self::open) is asked for.
    pub(crate) fn new(accepted: &[&'static str]) -> Self {
        let accepted = accepted
            .iter()
            .map(|&name| StreamProtocol::new(name))
            .collect();
        Self {
            accepted,
            events: VecDeque::new(),
            waker: None,
        }
    }

    /// Asks for a stream on this connection. An `Opened` or `OpenFailed` follows unless the connection closes.
    pub(crate) fn open(&mut self, peer: PeerId, connection: ConnectionId, protocol: &'static str) {
        self.events.push_back(ToSwarm::NotifyHandler {
            peer_id: peer,
            handler: NotifyHandler::One(connection),
            event: StreamProtocol::new(protocol),
        });
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl NetworkBehaviour for Streams {
    type ConnectionHandler = Handler;
    type ToSwarm = StreamEvent;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::new(self.accepted.clone()))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::new(self.accepted.clone()))
    }

    fn on_swarm_event(&mut self, _: FromSwarm) {}

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        let event = match event {
            HandlerEvent::Inbound(protocol, stream) => StreamEvent::Inbound {
                peer,
                connection,
                protocol,
                stream,
            },
            HandlerEvent::Opened(stream) => StreamEvent::Opened {
                peer,
                connection,
                stream,
            },
            HandlerEvent::OpenFailed(failure) => StreamEvent::OpenFailed {
                peer,
                connection,
                failure,
            },
        };
        self.events.push_back(ToSwarm::GenerateEvent(event));
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        if let Some(event) = self.events.pop_front() {
            return Poll::Ready(event);
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}
