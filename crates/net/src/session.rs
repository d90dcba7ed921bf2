// SPDX-License-Identifier: MIT OR Apache-2.0
//! The session: one peer's one open stream, from `PeerConnected` to `PeerDisconnected`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};

use comptoir_protocol::id::PeerKey;
use futures::future::{Either, select};
use futures::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::config::SILENCE_MAX;
use crate::error::StreamError;
use crate::framing::FrameReader;
use crate::handle::{NetEvent, Shared};
use crate::queue::{self, Pace, Queue};

/// What a session works with. All events of one peer come from its one running session, so they cannot overtake
/// each other.
pub(crate) struct Session {
    pub(crate) peer: PeerKey,
    pub(crate) shared: Shared,
    pub(crate) events: mpsc::Sender<NetEvent>,
    /// Ends the session from outside: the peer was disconnected, or a newer stream takes over.
    pub(crate) stop: CancellationToken,
    /// Set before `PeerDisconnected` is said: who dials upon that event must not be told that a session still runs.
    pub(crate) over: Arc<AtomicBool>,
}

impl Session {
    /// Serves `stream` until it ends, fails or is stopped. Returns why it failed, if it did.
    pub(crate) async fn run<S: AsyncRead + AsyncWrite + Unpin>(
        self,
        stream: S,
    ) -> Result<(), StreamError> {
        let peer = self.peer;
        let queue = Arc::new(Queue::new(self.shared.waiting.clone()));
        // The route before the event: who hears of the peer can send to it.
        self.route(Some(queue.clone()));
        // An error means that nobody listens any more; then the endpoint ends too.
        let _ = self.events.send(NetEvent::PeerConnected { peer }).await;
        let end = tokio::select! {
            end = self.serve(stream, &queue) => end,
            () = self.stop.cancelled() => Ok(()),
        };
        queue.close();
        self.route(None);
        self.over.store(true, Ordering::Release);
        let _ = self.events.send(NetEvent::PeerDisconnected { peer }).await;
        end
    }

    async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        queue: &Queue,
    ) -> Result<(), StreamError> {
        let (reading, writing) = stream.split();
        let reads = std::pin::pin!(self.read(reading));
        let writes = std::pin::pin!(queue::write_all(queue, writing, Pace::LIVELY));
        match select(reads, writes).await {
            Either::Left((end, _)) | Either::Right((end, _)) => end,
        }
    }

    // While the node is slow, `send` waits here, nothing is read, and the sender's window closes: a slow node makes
    // slow peers, not a full memory.
    async fn read<R: AsyncRead + Unpin>(&self, stream: R) -> Result<(), StreamError> {
        let mut reader = FrameReader::new(stream);
        loop {
            while let Some(bytes) = reader.buffered()? {
                if bytes.is_empty() {
                    continue;
                }
                if self
                    .events
                    .send(NetEvent::Frame {
                        peer: self.peer,
                        bytes,
                    })
                    .await
                    .is_err()
                {
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

    fn route(&self, queue: Option<Arc<Queue>>) {
        let mut routes = self
            .shared
            .routes
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        match queue {
            Some(queue) => routes.insert(self.peer, queue),
            None => routes.remove(&self.peer),
        };
    }
}
