// SPDX-License-Identifier: MIT OR Apache-2.0
//! The relay's side of mailbox streams: takes them within their limits and gives them out one by one.

use std::net::IpAddr;
use std::sync::Arc;

use futures::AsyncReadExt;
use futures::io::ReadHalf;
use libp2p::swarm::Stream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::address;
use crate::bucket::{Bucket, SourceBuckets};
use crate::config::RelayLimits;
use crate::error::StreamError;
use crate::framing::FrameReader;
use crate::queue::{self, FrameSender, Pace, Queue, Waiting};

/// Streams that may wait to be taken from the acceptor. Full: a new one is closed, and its client comes back later.
const ACCEPT_MAX: usize = 256;

/// The limits and counters of one relay's mailbox streams.
pub(crate) struct Server {
    limits: RelayLimits,
    slots: Arc<Semaphore>,
    sources: SourceBuckets,
    accepted: mpsc::Sender<RelayStream>,
}

/// Makes a server and what it feeds.
pub(crate) fn pair(limits: RelayLimits) -> (Server, RelayAcceptor) {
    let (accepted, streams) = mpsc::channel(ACCEPT_MAX);
    let server = Server {
        slots: Arc::new(Semaphore::new(limits.streams_max)),
        sources: SourceBuckets::new(limits.ip_rate),
        limits,
        accepted,
    };
    (server, RelayAcceptor { streams })
}

impl Server {
    /// The semaphore of a new connection's mailbox streams.
    pub(crate) fn connection_slots(&self) -> Arc<Semaphore> {
        Arc::new(Semaphore::new(self.limits.streams_per_connection_max))
    }

    /// How many mailbox streams a connection may have.
    pub(crate) fn streams_per_connection(&self) -> usize {
        self.limits.streams_per_connection_max
    }

    /// Takes a stream, or drops it, which resets it, when a limit is reached.
    pub(crate) fn accept(
        &self,
        stream: Stream,
        remote: IpAddr,
        connection: u64,
        connection_slots: &Arc<Semaphore>,
        waiting: &Waiting,
    ) {
        let slots = (
            connection_slots.clone().try_acquire_owned(),
            self.slots.clone().try_acquire_owned(),
        );
        let (Ok(of_connection), Ok(of_relay)) = slots else {
            tracing::debug!(connection, "a mailbox stream over the limit was closed");
            return;
        };
        let Ok(place) = self.accepted.try_reserve() else {
            tracing::debug!(
                connection,
                "a mailbox stream was closed because too many wait"
            );
            return;
        };
        place.send(self.serve(
            stream,
            remote,
            connection,
            waiting,
            [of_connection, of_relay],
        ));
    }

    fn serve(
        &self,
        stream: Stream,
        remote: IpAddr,
        connection: u64,
        waiting: &Waiting,
        slots: [OwnedSemaphorePermit; 2],
    ) -> RelayStream {
        let (reading, writing) = stream.split();
        let queue = Arc::new(Queue::new(waiting.clone()));
        let broken = CancellationToken::new();
        tokio::spawn({
            let (queue, broken) = (queue.clone(), broken.clone());
            async move {
                if let Err(error) = queue::write_all(&queue, writing, Pace::ANSWERING).await {
                    tracing::debug!(connection, %error, "a mailbox stream can no longer be written");
                }
                queue.close();
                broken.cancel();
                drop(slots);
            }
        });
        RelayStream {
            remote,
            connection,
            reader: FrameReader::new(reading),
            bucket: Bucket::new(self.limits.stream_rate, std::time::Instant::now()),
            sources: self.sources.clone(),
            held: None,
            silence_max: self.limits.silence_max,
            queue,
            broken,
        }
    }
}

/// Gives out the mailbox streams that clients open. Dropped, no further stream is taken.
#[derive(Debug)]
pub struct RelayAcceptor {
    streams: mpsc::Receiver<RelayStream>,
}

impl RelayAcceptor {
    /// The next stream. `None`: the endpoint has ended. Cancel-safe.
    ///
    /// At most 256 wait here; when more come they are closed, and their clients return after their backoff.
    pub async fn next(&mut self) -> Option<RelayStream> {
        self.streams.recv().await
    }
}

/// One client's mailbox stream. Dropped, what waits to be written is still written and then the stream is closed.
#[derive(Debug)]
pub struct RelayStream {
    remote: IpAddr,
    connection: u64,
    reader: FrameReader<ReadHalf<Stream>>,
    bucket: Bucket,
    sources: SourceBuckets,
    /// A frame that came too early, and when it may pass.
    held: Option<(Instant, Vec<u8>)>,
    silence_max: std::time::Duration,
    queue: Arc<Queue>,
    broken: CancellationToken,
}

impl RelayStream {
    /// Where the client's connection comes from.
    pub fn remote_ip(&self) -> IpAddr {
        self.remote
    }

    /// The number of its connection, unique while the endpoint runs. One connection may open several streams.
    pub fn connection(&self) -> u64 {
        self.connection
    }

    /// What writes to the client. Clones outlive this stream and then answer `NotConnected`.
    pub fn sender(&self) -> FrameSender {
        FrameSender::new(self.queue.clone())
    }

    /// The next frame, never empty. `Ok(None)`: the client closed the stream. `Err`: the stream is of no more use.
    ///
    /// A client that sends faster than its rate or its source's is read more slowly. Cancel-safe.
    pub async fn recv(&mut self) -> Result<Option<Vec<u8>>, StreamError> {
        loop {
            if let Some((when, _)) = &self.held {
                sleep_until(*when).await;
            }
            if let Some((_, frame)) = self.held.take() {
                return Ok(Some(frame));
            }
            match self.reader.buffered()? {
                Some(frame) if frame.is_empty() => self.answer_life(),
                Some(frame) => self.held = Some((self.due(), frame)),
                None => {
                    if !self.fill().await? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    async fn fill(&mut self) -> Result<bool, StreamError> {
        let seconds = self.silence_max.as_secs();
        tokio::select! {
            filled = timeout(self.silence_max, self.reader.fill()) => {
                filled.unwrap_or(Err(StreamError::Silent { seconds }))
            }
            () = self.broken.cancelled() => Err(StreamError::Broken("the client takes no more answers".into())),
        }
    }

    /// When a frame that has arrived now may pass.
    fn due(&mut self) -> Instant {
        let now = std::time::Instant::now();
        let of_source = self.sources.take(address::source(self.remote), now);
        Instant::now() + self.bucket.take(now).max(of_source)
    }

    // Full: the client is behind with reading and has signs of life enough.
    fn answer_life(&self) {
        let _ = self.queue.push(&[]);
    }
}

impl Drop for RelayStream {
    fn drop(&mut self) {
        self.queue.close();
    }
}
