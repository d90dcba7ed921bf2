// SPDX-License-Identifier: MIT OR Apache-2.0
//! The probe: what the transport does by itself, so that a node's figures can be held against it.
//!
//! The same TCP, Noise, yamux and QUIC, set up as for peers, and nothing else: no queue, no frames, no events,
//! nothing stored. Server and client are meant for two processes: [`ProbeServer::start`] in one, its
//! [`target`](ProbeServer::target) as text to the other.

mod server;

use std::fmt;
use std::io;
use std::str::FromStr;
use std::time::{Duration, Instant};

use comptoir_protocol::id::PeerKey;
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::PeerId;
use libp2p::swarm::Stream;
use thiserror::Error;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use crate::address;
use crate::error::{DialFailure, NetError};
use crate::relay_client::connection::{Connection, open_protocol};
use crate::streams::PROBE_PROTOCOL;

pub use server::ProbeServer;

/// Bytes of one message of [`ProbeTarget::round_trips`] and [`ProbeTarget::acknowledged_rate`].
pub const MESSAGE_BYTES: usize = 200;

/// Bytes of a message's number, and of its acknowledgement.
const NUMBER_BYTES: usize = 8;

/// Bytes of one write of [`ProbeTarget::bulk`].
const BULK_WRITE_BYTES: usize = 256 << 10;

/// Round trips before the first that counts.
const WARM_UP: usize = 200;

/// What the first byte of a stream asks the server to do.
mod mode {
    pub(super) const BYTE: u8 = b'B';
    pub(super) const ECHO: u8 = b'E';
    pub(super) const ACKNOWLEDGE: u8 = b'A';
    pub(super) const SWALLOW: u8 = b'K';
}

/// Which transport a probe server listens on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeTransport {
    /// TCP with Noise and yamux.
    Tcp,
    /// QUIC.
    Quic,
}

/// Why a probe gave no figure.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// The server could not start.
    #[error(transparent)]
    Start(#[from] NetError),
    /// The server could not be reached.
    #[error(transparent)]
    Dial(#[from] DialFailure),
    /// The stream broke.
    #[error("the probe's stream broke: {0}")]
    Stream(#[from] io::Error),
    /// The text is not `KEY ADDRESS`.
    #[error(
        "not a probe's target: a key of 64 hexadecimal digits, a space and a multiaddr are needed"
    )]
    BadTarget,
}

/// Where a probe server is: its key and one address. As text, `KEY ADDRESS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeTarget {
    key: PeerKey,
    address: String,
}

impl fmt::Display for ProbeTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.key, self.address)
    }
}

impl FromStr for ProbeTarget {
    type Err = ProbeError;

    fn from_str(text: &str) -> Result<Self, ProbeError> {
        let (key, address) = text.trim().split_once(' ').ok_or(ProbeError::BadTarget)?;
        let key = key.parse().map_err(|_| ProbeError::BadTarget)?;
        Ok(Self {
            key,
            address: address.into(),
        })
    }
}

/// How [`ProbeTarget::acknowledged_rate`] loads the stream.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Messages in all.
    pub messages: u64,
    /// Messages that may be unacknowledged.
    pub window: u64,
    /// Messages of one write and flush, if so many may go.
    pub per_write: u64,
}

impl Load {
    /// Each message in a write of its own, 1,024 unacknowledged: the figure `limit.libp2p_rate`.
    pub fn one_per_write(messages: u64) -> Self {
        Self {
            messages,
            window: 1024,
            per_write: 1,
        }
    }
}

impl ProbeTarget {
    /// Time from nothing to the first byte back on a new stream, each time from a new endpoint with a new key.
    pub async fn dial(&self, times: usize) -> Result<Vec<Duration>, ProbeError> {
        let mut taken = Vec::with_capacity(times);
        for _ in 0..times {
            let start = Instant::now();
            let mut probe = self.open(mode::BYTE).await?;
            probe.stream.flush().await?;
            probe.stream.read_exact(&mut [0]).await?;
            taken.push(start.elapsed());
        }
        Ok(taken)
    }

    /// Round trips of one message at a time on one stream.
    pub async fn round_trips(&self, count: usize) -> Result<Vec<Duration>, ProbeError> {
        let mut probe = self.open(mode::ECHO).await?;
        let mut message = [7; MESSAGE_BYTES];
        let mut taken = Vec::with_capacity(count);
        for number in 0..count + WARM_UP {
            let start = Instant::now();
            probe.stream.write_all(&message).await?;
            probe.stream.flush().await?;
            probe.stream.read_exact(&mut message).await?;
            if number >= WARM_UP {
                taken.push(start.elapsed());
            }
        }
        Ok(taken)
    }

    /// Messages a second on one stream, each acknowledged by its number, in order.
    pub async fn acknowledged_rate(&self, load: Load) -> Result<f64, ProbeError> {
        let probe = self.open(mode::ACKNOWLEDGE).await?;
        let (reading, writing) = probe.stream.split();
        let (acknowledged, seen) = watch::channel(0);
        let start = Instant::now();
        futures::try_join!(
            write_load(writing, load, seen),
            read_acknowledgements(reading, load.messages, acknowledged)
        )?;
        Ok(rate(load.messages, start))
    }

    /// Bytes a second on one stream, until the server has confirmed the last one.
    pub async fn bulk(&self, bytes: u64) -> Result<f64, ProbeError> {
        let mut probe = self.open(mode::SWALLOW).await?;
        let block = vec![5; BULK_WRITE_BYTES];
        let start = Instant::now();
        probe.stream.write_all(&bytes.to_be_bytes()).await?;
        let mut left = bytes;
        while left > 0 {
            let size = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
            probe
                .stream
                .write_all(block.get(..size).unwrap_or_default())
                .await?;
            left -= u64::try_from(size).unwrap_or(left);
        }
        probe.stream.flush().await?;
        probe.stream.read_exact(&mut [0]).await?;
        Ok(rate(bytes, start))
    }

    async fn open(&self, mode: u8) -> Result<Probe, ProbeError> {
        let peer: PeerId = address::peer_id(&self.key.0).ok_or(DialFailure::BadKey)?;
        let addresses = [self.address.clone()];
        let Connection {
            mut swarm,
            id: _,
            mut stream,
        } = open_protocol(&peer, &addresses, PROBE_PROTOCOL).await?;
        let driver = AbortOnDropHandle::new(tokio::spawn(async move {
            loop {
                swarm.select_next_some().await;
            }
        }));
        stream.write_all(&[mode]).await?;
        Ok(Probe {
            stream,
            _driver: driver,
        })
    }
}

/// A stream and the task that drives its swarm.
struct Probe {
    stream: Stream,
    _driver: AbortOnDropHandle<()>,
}

async fn write_load<W: futures::AsyncWrite + Unpin>(
    mut stream: W,
    load: Load,
    mut acknowledged: watch::Receiver<u64>,
) -> io::Result<()> {
    let (mut sent, mut batch) = (0u64, Vec::new());
    while sent < load.messages {
        let free = load.window.max(1) - (sent - *acknowledged.borrow_and_update());
        if free == 0 {
            acknowledged.changed().await.map_err(io::Error::other)?;
            continue;
        }
        batch.clear();
        for _ in 0..free.min(load.per_write.max(1)).min(load.messages - sent) {
            batch.extend_from_slice(&sent.to_be_bytes());
            batch.resize(batch.len() + MESSAGE_BYTES - NUMBER_BYTES, 1);
            sent += 1;
        }
        stream.write_all(&batch).await?;
        stream.flush().await?;
    }
    Ok(())
}

async fn read_acknowledgements<R: futures::AsyncRead + Unpin>(
    mut stream: R,
    messages: u64,
    acknowledged: watch::Sender<u64>,
) -> io::Result<()> {
    let (mut buffer, mut have, mut next) = (vec![0; 64 << 10], 0, 0u64);
    while next < messages {
        let read = stream.read(&mut buffer[have..]).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        have += read;
        let whole = have - have % NUMBER_BYTES;
        for number in buffer[..whole].chunks_exact(NUMBER_BYTES) {
            if number != next.to_be_bytes() {
                return Err(io::Error::other("a message was acknowledged out of order"));
            }
            next += 1;
        }
        buffer.copy_within(whole..have, 0);
        have -= whole;
        acknowledged.send_replace(next);
    }
    Ok(())
}

#[allow(clippy::cast_precision_loss)]
fn rate(count: u64, start: Instant) -> f64 {
    count as f64 / start.elapsed().as_secs_f64()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn every_figure_comes_out_on_both_transports() {
        for transport in [ProbeTransport::Tcp, ProbeTransport::Quic] {
            let server = ProbeServer::start(transport).await.unwrap();
            let target: ProbeTarget = server.target().to_string().parse().unwrap();
            assert_eq!(&target, server.target());
            assert_eq!(target.dial(2).await.unwrap().len(), 2);
            assert_eq!(target.round_trips(10).await.unwrap().len(), 10);
            assert!(
                target
                    .acknowledged_rate(Load::one_per_write(3000))
                    .await
                    .unwrap()
                    > 0.0
            );
            let batched = Load {
                messages: 3001,
                window: 1024,
                per_write: 64,
            };
            assert!(target.acknowledged_rate(batched).await.unwrap() > 0.0);
            assert!(target.bulk(3_000_001).await.unwrap() > 0.0);
        }
    }

    #[test]
    fn a_bad_target_is_refused() {
        for text in ["", "key", "12 /ip4/127.0.0.1/tcp/1"] {
            assert!(matches!(
                text.parse::<ProbeTarget>(),
                Err(ProbeError::BadTarget)
            ));
        }
    }
}
