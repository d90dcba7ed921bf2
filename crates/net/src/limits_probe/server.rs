// SPDX-License-Identifier: MIT OR Apache-2.0
//! The probe's server: echoes, acknowledges or swallows, as the first byte of each stream asks.

use std::io;

use comptoir_protocol::id::PeerKey;
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt};
use libp2p::Multiaddr;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{self, Stream, Swarm, SwarmEvent};
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

use super::{MESSAGE_BYTES, NUMBER_BYTES, ProbeError, ProbeTarget, ProbeTransport, mode};
use crate::address;
use crate::error::NetError;
use crate::streams::{PROBE_PROTOCOL, StreamEvent, Streams};
use crate::transport;

/// Serves probes on loopback until dropped. It has no limits: only the machine's own processes reach it.
#[derive(Debug)]
pub struct ProbeServer {
    target: ProbeTarget,
    _task: AbortOnDropHandle<()>,
}

impl ProbeServer {
    /// Listens on loopback, on a port the system chooses, under a key made for it.
    pub async fn start(transport: ProbeTransport) -> Result<Self, ProbeError> {
        let keypair = Keypair::generate_ed25519();
        let peer = keypair.public().to_peer_id();
        let key = address::key(&peer)
            .ok_or_else(|| NetError::Transport("the key is not Ed25519".into()))?;
        let config = swarm::Config::with_tokio_executor();
        let mut swarm = Swarm::new(
            transport::build(&keypair)?,
            Streams::new(&[PROBE_PROTOCOL]),
            peer,
            config,
        );
        let address = listen(&mut swarm, transport).await?;
        let task = AbortOnDropHandle::new(tokio::spawn(run(swarm)));
        Ok(Self {
            target: ProbeTarget {
                key: PeerKey(key),
                address: address.to_string(),
            },
            _task: task,
        })
    }

    /// Where clients find it.
    pub fn target(&self) -> &ProbeTarget {
        &self.target
    }
}

async fn listen(
    swarm: &mut Swarm<Streams>,
    transport: ProbeTransport,
) -> Result<Multiaddr, NetError> {
    let loopback = Multiaddr::empty().with(Protocol::Ip4(std::net::Ipv4Addr::LOCALHOST));
    let wanted = match transport {
        ProbeTransport::Tcp => loopback.with(Protocol::Tcp(0)),
        ProbeTransport::Quic => loopback.with(Protocol::Udp(0)).with(Protocol::QuicV1),
    };
    swarm
        .listen_on(wanted.clone())
        .map_err(|error| NetError::Listen {
            address: wanted.to_string(),
            reason: error.to_string(),
        })?;
    loop {
        if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
            return Ok(address);
        }
    }
}

async fn run(mut swarm: Swarm<Streams>) {
    let mut streams = JoinSet::new();
    loop {
        tokio::select! {
            event = swarm.select_next_some() => {
                if let SwarmEvent::Behaviour(StreamEvent::Inbound { stream, .. }) = event {
                    streams.spawn(serve(stream));
                }
            }
            // A client that left mid-way ends its stream with an error, which is its own affair.
            Some(_) = streams.join_next(), if !streams.is_empty() => {}
        }
    }
}

async fn serve(mut stream: Stream) -> io::Result<()> {
    let mut mode = [0];
    stream.read_exact(&mut mode).await?;
    match mode[0] {
        mode::ECHO => echo(&mut stream).await?,
        mode::ACKNOWLEDGE => acknowledge(&mut stream).await?,
        mode::SWALLOW => swallow(&mut stream).await?,
        mode::BYTE => stream.write_all(b"b").await?,
        _ => return Err(io::ErrorKind::InvalidInput.into()),
    }
    stream.flush().await?;
    stream.close().await
}

async fn echo<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> io::Result<()> {
    let mut message = [0; MESSAGE_BYTES];
    loop {
        stream.read_exact(&mut message).await?;
        stream.write_all(&message).await?;
        stream.flush().await?;
    }
}

async fn acknowledge<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> io::Result<()> {
    let (mut buffer, mut have, mut answers) = (vec![0; 64 << 10], 0, Vec::new());
    loop {
        let read = stream.read(&mut buffer[have..]).await?;
        if read == 0 {
            return Ok(());
        }
        have += read;
        let whole = have - have % MESSAGE_BYTES;
        answers.clear();
        for message in buffer[..whole].chunks_exact(MESSAGE_BYTES) {
            answers.extend_from_slice(&message[..NUMBER_BYTES]);
        }
        buffer.copy_within(whole..have, 0);
        have -= whole;
        if !answers.is_empty() {
            stream.write_all(&answers).await?;
            stream.flush().await?;
        }
    }
}

async fn swallow<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> io::Result<()> {
    let mut count = [0; 8];
    stream.read_exact(&mut count).await?;
    let (mut left, mut buffer) = (u64::from_be_bytes(count), vec![0; 256 << 10]);
    while left > 0 {
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        left = left.saturating_sub(u64::try_from(read).unwrap_or(u64::MAX));
    }
    stream.write_all(b"k").await
}
