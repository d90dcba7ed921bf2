// SPDX-License-Identifier: MIT OR Apache-2.0
//! The transport: TCP with Noise and yamux, and QUIC, both with bounded windows, behind a resolver of names.

use std::time::Duration;

use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::timeout::TransportTimeout;
use libp2p::core::transport::{Boxed, OrTransport};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::{PeerId, Transport, dns, noise, quic, tcp};

use crate::config::Seed;
use crate::error::NetError;
use crate::muxer::BoundedYamux;

/// A connection that is not up after this long is given up: five round trips of a slow satellite line.
const HANDSHAKE_MAX: Duration = Duration::from_secs(5);

/// Connections the kernel may hold for us between two polls.
const LISTEN_BACKLOG: u32 = 1024;

/// Bytes a QUIC peer may have in flight to us unread, in all and on one stream. The default is 15 MB a connection.
const QUIC_CONNECTION_BYTES: u32 = 4 << 20;
const QUIC_STREAM_BYTES: u32 = 1 << 20;

/// A lost QUIC peer is noticed after this long; a packet each third of it keeps the NAT's entry alive.
const QUIC_SILENCE_MAX: Duration = Duration::from_secs(60);

/// Streams a QUIC peer may open at once.
const QUIC_STREAMS_MAX: u32 = 64;

/// What a swarm dials and listens with.
pub(crate) type SwarmTransport = Boxed<(PeerId, StreamMuxerBox)>;

/// The key pair of a seed.
pub(crate) fn keypair(seed: &Seed) -> Result<Keypair, NetError> {
    let mut bytes = seed.bytes();
    Keypair::ed25519_from_bytes(bytes.as_mut_slice())
        .map_err(|error| NetError::Transport(error.to_string()))
}

/// Builds the transport of one identity. Must run inside a tokio runtime.
///
/// Names are resolved as the system is set up to. Where that cannot be read they do not resolve; no public resolver
/// is asked behind the user's back.
pub(crate) fn build(keypair: &Keypair) -> Result<SwarmTransport, NetError> {
    let boxed = match dns::tokio::Transport::system(tcp_and_quic(keypair)?) {
        Ok(named) => TransportTimeout::new(named, HANDSHAKE_MAX).boxed(),
        Err(error) => {
            tracing::warn!(%error, "names in addresses will not be resolved");
            TransportTimeout::new(tcp_and_quic(keypair)?, HANDSHAKE_MAX).boxed()
        }
    };
    Ok(boxed)
}

fn tcp_and_quic(keypair: &Keypair) -> Result<SwarmTransport, NetError> {
    let noise =
        noise::Config::new(keypair).map_err(|error| NetError::Transport(error.to_string()))?;
    let tcp = tcp::tokio::Transport::new(
        tcp::Config::default()
            .nodelay(true)
            .listen_backlog(LISTEN_BACKLOG),
    )
    .upgrade(Version::V1Lazy)
    .authenticate(noise)
    .multiplex(BoundedYamux)
    .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    let quic = quic::tokio::Transport::new(quic_config(keypair))
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    Ok(OrTransport::new(tcp, quic)
        .map(|either, _| either.into_inner())
        .boxed())
}

fn quic_config(keypair: &Keypair) -> quic::Config {
    let mut config = quic::Config::new(keypair);
    config.handshake_timeout = HANDSHAKE_MAX;
    config.max_idle_timeout = u32::try_from(QUIC_SILENCE_MAX.as_millis()).unwrap_or(u32::MAX);
    config.keep_alive_interval = QUIC_SILENCE_MAX / 3;
    config.max_concurrent_stream_limit = QUIC_STREAMS_MAX;
    config.max_connection_data = QUIC_CONNECTION_BYTES;
    config.max_stream_data = QUIC_STREAM_BYTES;
    config
}
