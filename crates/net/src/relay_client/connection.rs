// SPDX-License-Identifier: MIT OR Apache-2.0
//! One connection to a relay, under its own throw-away key: its swarm, and its one stream.

use std::time::Duration;

use futures::{AsyncRead, AsyncReadExt, StreamExt};
use libp2p::identity::Keypair;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{self, ConnectionId, Stream, Swarm, SwarmEvent};
use libp2p::{Multiaddr, PeerId};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::RelayEvent;
use crate::address;
use crate::config::SILENCE_MAX;
use crate::error::{DialFailure, RelayDown, StreamError};
use crate::framing::FrameReader;
use crate::queue::{self, Pace, Queue};
use crate::streams::{MAILBOX_PROTOCOL, OpenFailure, StreamEvent, Streams};
use crate::swarm::describe;
use crate::transport;

/// Without streams the connection may close; ours has one from its first second to its last.
const IDLE_MAX: Duration = Duration::from_secs(15);

/// An open stream and the swarm that carries it.
pub(crate) struct Connection {
    pub(crate) swarm: Swarm<Streams>,
    pub(crate) id: ConnectionId,
    pub(crate) stream: Stream,
}

/// Dials the relay, TCP addresses first, and opens the mailbox stream.
pub(crate) async fn open(relay: &PeerId, addresses: &[String]) -> Result<Connection, DialFailure> {
    open_protocol(relay, addresses, MAILBOX_PROTOCOL).await
}

/// The same for any protocol of ours.
pub(crate) async fn open_protocol(
    relay: &PeerId,
    addresses: &[String],
    protocol: &'static str,
) -> Result<Connection, DialFailure> {
    let mut plan = address::dial_plan(addresses, relay)?;
    let mut swarm = throw_away_swarm()?;
    let mut first_failure = None;
    loop {
        let stage = address::next_stage(&mut plan);
        if stage.is_empty() {
            return Err(first_failure.unwrap_or(DialFailure::NoAddress));
        }
        match dial(&mut swarm, relay, stage).await {
            Ok(id) => {
                let stream = open_stream(&mut swarm, *relay, id, protocol).await?;
                return Ok(Connection { swarm, id, stream });
            }
            Err(failure) => {
                first_failure.get_or_insert(failure);
            }
        }
    }
}

fn throw_away_swarm() -> Result<Swarm<Streams>, DialFailure> {
    let keypair = Keypair::generate_ed25519();
    let transport =
        transport::build(&keypair).map_err(|error| DialFailure::Unreachable(error.to_string()))?;
    let config = swarm::Config::with_tokio_executor().with_idle_connection_timeout(IDLE_MAX);
    Ok(Swarm::new(
        transport,
        Streams::new(&[]),
        keypair.public().to_peer_id(),
        config,
    ))
}

async fn dial(
    swarm: &mut Swarm<Streams>,
    relay: &PeerId,
    addresses: Vec<Multiaddr>,
) -> Result<ConnectionId, DialFailure> {
    // A port of its own: the port of another socket of this node would tie the two together.
    let options = DialOpts::peer_id(*relay)
        .addresses(addresses)
        .allocate_new_port()
        .build();
    swarm.dial(options).map_err(describe)?;
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::ConnectionEstablished { connection_id, .. } => return Ok(connection_id),
            SwarmEvent::OutgoingConnectionError { error, .. } => return Err(describe(error)),
            _ => {}
        }
    }
}

/// Opens a stream on a connection of `swarm`.
pub(crate) async fn open_stream(
    swarm: &mut Swarm<Streams>,
    relay: PeerId,
    connection: ConnectionId,
    protocol: &'static str,
) -> Result<Stream, DialFailure> {
    swarm.behaviour_mut().open(relay, connection, protocol);
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::Behaviour(StreamEvent::Opened { stream, .. }) => return Ok(stream),
            SwarmEvent::Behaviour(StreamEvent::OpenFailed {
                failure: OpenFailure::Unsupported,
                ..
            }) => {
                return Err(DialFailure::ProtocolUnsupported { protocol });
            }
            SwarmEvent::Behaviour(StreamEvent::OpenFailed { .. })
            | SwarmEvent::ConnectionClosed { .. } => {
                return Err(DialFailure::Lost);
            }
            _ => {}
        }
    }
}

impl Connection {
    /// Carries frames until the stream or the connection ends, and says why it did.
    pub(crate) async fn serve(self, queue: &Queue, events: &mpsc::Sender<RelayEvent>) -> RelayDown {
        let Self {
            mut swarm,
            id,
            stream,
        } = self;
        let (reading, writing) = stream.split();
        tokio::select! {
            end = read(reading, events) => end.map_or_else(RelayDown::Stream, |()| RelayDown::Closed),
            end = queue::write_all(queue, writing, Pace::LIVELY) => {
                end.map_or_else(RelayDown::Stream, |()| RelayDown::Closed)
            }
            () = closed(&mut swarm, id) => RelayDown::Closed,
        }
    }
}

/// Runs the swarm until the connection is closed.
async fn closed(swarm: &mut Swarm<Streams>, id: ConnectionId) {
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::ConnectionClosed { connection_id, .. } if connection_id == id => return,
            _ => {}
        }
    }
}

async fn read<R: AsyncRead + Unpin>(
    stream: R,
    events: &mpsc::Sender<RelayEvent>,
) -> Result<(), StreamError> {
    let mut reader = FrameReader::new(stream);
    loop {
        while let Some(frame) = reader.buffered()? {
            // The relay's answer to our sign of life.
            if frame.is_empty() {
                continue;
            }
            if events.send(RelayEvent::Frame(frame)).await.is_err() {
                return Ok(());
            }
        }
        match timeout(SILENCE_MAX, reader.fill()).await {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) => return Ok(()),
            Ok(Err(error)) => return Err(error),
            Err(_) => {
                return Err(StreamError::Silent {
                    seconds: SILENCE_MAX.as_secs(),
                });
            }
        }
    }
}
