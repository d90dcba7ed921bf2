// SPDX-License-Identifier: MIT OR Apache-2.0
//! The handler of one connection: negotiates streams and passes them on.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};
use std::time::Duration;

use libp2p::core::{InboundUpgrade, OutboundUpgrade, UpgradeInfo};
use libp2p::swarm::handler::{
    ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
};
use libp2p::swarm::{
    ConnectionHandler, ConnectionHandlerEvent, Stream, StreamProtocol, StreamUpgradeError,
    SubstreamProtocol,
};

/// Agreeing on a protocol takes one round trip; more than this and the peer does not want to.
const NEGOTIATION_MAX: Duration = Duration::from_secs(10);

/// Streams that may wait for the loop to take them. More are reset: nobody opens as many in good faith.
const WAITING_MAX: usize = 16;

/// Why a stream did not open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OpenFailure {
    /// The other side does not speak the protocol.
    Unsupported,
    /// The connection broke, or the other side did not answer in time.
    Broken(String),
}

/// What a handler tells its behaviour.
#[derive(Debug)]
pub(crate) enum HandlerEvent {
    Inbound(StreamProtocol, Stream),
    Opened(Stream),
    OpenFailed(OpenFailure),
}

/// Names protocols; the negotiated stream itself is the result.
#[derive(Clone, Debug)]
pub(crate) struct Names(Vec<StreamProtocol>);

impl UpgradeInfo for Names {
    type Info = StreamProtocol;
    type InfoIter = std::vec::IntoIter<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.clone().into_iter()
    }
}

impl InboundUpgrade<Stream> for Names {
    type Output = (StreamProtocol, Stream);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, protocol: StreamProtocol) -> Self::Future {
        ready(Ok((protocol, stream)))
    }
}

impl OutboundUpgrade<Stream> for Names {
    type Output = Stream;
    type Error = Infallible;
    type Future = Ready<Result<Stream, Infallible>>;

    fn upgrade_outbound(self, stream: Stream, _: StreamProtocol) -> Self::Future {
        ready(Ok(stream))
    }
}

/// Negotiates the streams of one connection. An open stream keeps its connection; without one it idles out.
pub(crate) struct Handler {
    accepted: Vec<StreamProtocol>,
    wanted: VecDeque<StreamProtocol>,
    events: VecDeque<HandlerEvent>,
}

impl Handler {
    pub(crate) fn new(accepted: Vec<StreamProtocol>) -> Self {
        Self {
            accepted,
            wanted: VecDeque::new(),
            events: VecDeque::new(),
        }
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = StreamProtocol;
    type ToBehaviour = HandlerEvent;
    type InboundProtocol = Names;
    type OutboundProtocol = Names;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Names> {
        SubstreamProtocol::new(Names(self.accepted.clone()), ()).with_timeout(NEGOTIATION_MAX)
    }

    // The connection polls again after each event it feeds in, so no waker is needed here.
    fn poll(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Names, (), HandlerEvent>> {
        if let Some(event) = self.events.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(event));
        }
        if let Some(protocol) = self.wanted.pop_front() {
            let protocol =
                SubstreamProtocol::new(Names(vec![protocol]), ()).with_timeout(NEGOTIATION_MAX);
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        Poll::Pending
    }

    fn on_behaviour_event(&mut self, protocol: StreamProtocol) {
        self.wanted.push_back(protocol);
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<Names, Names>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: (protocol, stream),
                ..
            }) if self.events.len() < WAITING_MAX => {
                self.events
                    .push_back(HandlerEvent::Inbound(protocol, stream));
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: stream,
                ..
            }) => {
                self.events.push_back(HandlerEvent::Opened(stream));
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { error, .. }) => {
                self.events
                    .push_back(HandlerEvent::OpenFailed(open_failure(error)));
            }
            _ => {}
        }
    }
}

fn open_failure(error: StreamUpgradeError<Infallible>) -> OpenFailure {
    match error {
        StreamUpgradeError::NegotiationFailed => OpenFailure::Unsupported,
        StreamUpgradeError::Timeout => {
            OpenFailure::Broken("the other side did not answer in time".into())
        }
        StreamUpgradeError::Io(error) => OpenFailure::Broken(error.to_string()),
        StreamUpgradeError::Apply(never) => match never {},
    }
}
