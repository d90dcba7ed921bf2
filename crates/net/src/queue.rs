// SPDX-License-Identifier: MIT OR Apache-2.0
//! The queue: frames that wait for one stream, laid end to end as they will be written.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use comptoir_protocol::limits::FRAME_BYTES_MAX;
use futures::{AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::config::{KEEPALIVE, QUEUE_BYTES_MAX, QUEUES_BYTES_MAX, WRITE_STALL_MAX};
use crate::error::{SendError, StreamError};
use crate::framing::{LENGTH_BYTES, broken};

/// Bytes given to the stream at once. All frames that waited share these writes.
const WRITE_BYTES: usize = 256 << 10;

/// A buffer larger than this is given back once it was written.
const BUFFER_KEPT: usize = 64 << 10;

/// A frame of length zero.
const SIGN_OF_LIFE: [u8; LENGTH_BYTES] = [0; LENGTH_BYTES];

const _: () = assert!(QUEUE_BYTES_MAX > FRAME_BYTES_MAX + LENGTH_BYTES);

/// Bytes that wait in all queues of one endpoint.
pub(crate) type Waiting = Arc<AtomicUsize>;

#[derive(Debug, Default)]
struct Lane {
    bytes: Vec<u8>,
    closed: bool,
}

/// Frames for one stream: filled by anybody, emptied by its one writer.
#[derive(Debug)]
pub(crate) struct Queue {
    lane: Mutex<Lane>,
    filled: Notify,
    all: Waiting,
}

impl Queue {
    pub(crate) fn new(all: Waiting) -> Self {
        Self {
            lane: Mutex::default(),
            filled: Notify::new(),
            all,
        }
    }

    /// Appends a frame, or refuses it whole.
    pub(crate) fn push(&self, frame: &[u8]) -> Result<(), SendError> {
        if frame.len() > FRAME_BYTES_MAX {
            return Err(SendError::TooLong {
                bytes: frame.len(),
                max: FRAME_BYTES_MAX,
            });
        }
        let head = u32::try_from(frame.len())
            .expect("a frame's limit fits into four bytes")
            .to_be_bytes();
        let size = LENGTH_BYTES + frame.len();
        let mut lane = self.lane();
        if lane.closed {
            return Err(SendError::NotConnected);
        }
        if lane.bytes.len() + size > QUEUE_BYTES_MAX
            || self.all.load(Ordering::Relaxed) + size > QUEUES_BYTES_MAX
        {
            return Err(SendError::Full);
        }
        self.all.fetch_add(size, Ordering::Relaxed);
        lane.bytes.extend_from_slice(&head);
        lane.bytes.extend_from_slice(frame);
        drop(lane);
        self.filled.notify_one();
        Ok(())
    }

    /// Refuses frames from now on. What waits is still written.
    pub(crate) fn close(&self) {
        self.lane().closed = true;
        self.filled.notify_one();
    }

    /// Exchanges all that waits for the empty `batch`. `false`: nothing waits and nothing will come.
    /// Cancel-safe.
    async fn take(&self, batch: &mut Vec<u8>) -> bool {
        loop {
            {
                let mut lane = self.lane();
                if !lane.bytes.is_empty() {
                    std::mem::swap(&mut lane.bytes, batch);
                    self.all.fetch_sub(batch.len(), Ordering::Relaxed);
                    return true;
                }
                if lane.closed {
                    return false;
                }
            }
            self.filled.notified().await;
        }
    }

    fn lane(&self) -> MutexGuard<'_, Lane> {
        self.lane.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        let left = self.lane().bytes.len();
        self.all.fetch_sub(left, Ordering::Relaxed);
    }
}

/// When a writer shows life by itself, and when it gives up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Writes a frame of length zero after this long without another. `None`: only the other side does.
    keepalive: Option<Duration>,
    /// A write may stand still for this long.
    stall_max: Duration,
}

impl Pace {
    /// Of a peer, and of a relay's client.
    pub(crate) const LIVELY: Self = Self {
        keepalive: Some(KEEPALIVE),
        stall_max: WRITE_STALL_MAX,
    };
    /// Of a relay, which answers signs of life and sends none of its own.
    pub(crate) const ANSWERING: Self = Self {
        keepalive: None,
        stall_max: WRITE_STALL_MAX,
    };
}

/// Writes what `queue` holds until it is closed and empty, then closes the stream. All frames that wait when the
/// stream is free go out together. Not cancel-safe: a cancelled write may have cut a frame, so the stream is lost.
pub(crate) async fn write_all<W: AsyncWrite + Unpin>(
    queue: &Queue,
    stream: W,
    pace: Pace,
) -> Result<(), StreamError> {
    let mut writer = Writer {
        stream,
        stall_max: pace.stall_max,
    };
    let mut batch = Vec::new();
    loop {
        let filled = match pace.keepalive {
            Some(pause) => timeout(pause, queue.take(&mut batch)).await,
            None => Ok(queue.take(&mut batch).await),
        };
        match filled {
            Ok(true) => writer.write(&batch).await?,
            Ok(false) => return writer.close().await,
            Err(_) => writer.write(&SIGN_OF_LIFE).await?,
        }
        batch.clear();
        batch.shrink_to(BUFFER_KEPT);
    }
}

/// A stream each of whose steps must come to an end.
struct Writer<W> {
    stream: W,
    stall_max: Duration,
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    async fn write(&mut self, batch: &[u8]) -> Result<(), StreamError> {
        for part in batch.chunks(WRITE_BYTES) {
            let mut rest = part;
            while !rest.is_empty() {
                let written = progress(self.stall_max, self.stream.write(rest)).await?;
                if written == 0 {
                    return Err(StreamError::Broken("the stream takes no more bytes".into()));
                }
                rest = rest.get(written..).unwrap_or_default();
            }
        }
        progress(self.stall_max, self.stream.flush()).await
    }

    async fn close(mut self) -> Result<(), StreamError> {
        progress(self.stall_max, self.stream.close()).await
    }
}

async fn progress<T>(
    max: Duration,
    step: impl Future<Output = std::io::Result<T>>,
) -> Result<T, StreamError> {
    match timeout(max, step).await {
        Ok(result) => result.map_err(broken),
        Err(_) => Err(StreamError::Stalled {
            seconds: max.as_secs(),
        }),
    }
}

/// Writes frames to one stream. Clones write to the same one.
#[derive(Clone, Debug)]
pub struct FrameSender {
    queue: Arc<Queue>,
}

impl FrameSender {
    pub(crate) fn new(queue: Arc<Queue>) -> Self {
        Self { queue }
    }

    /// Appends `frame` to what the stream will write next; at most 4 MiB wait.
    /// On error nothing of it was kept. `Ok` means queued, not received.
    pub fn send(&self, frame: &[u8]) -> Result<(), SendError> {
        self.queue.push(frame)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
    use futures::io::Cursor;

    use super::*;

    fn queue() -> Queue {
        Queue::new(Waiting::default())
    }

    #[tokio::test]
    async fn what_waits_is_written_in_order_and_then_the_stream_ends() {
        let queue = queue();
        queue.push(b"one").unwrap();
        queue.push(b"").unwrap();
        queue.push(b"two").unwrap();
        queue.close();
        assert_eq!(queue.push(b"three"), Err(SendError::NotConnected));
        let mut written = Cursor::new(Vec::new());
        write_all(&queue, &mut written, Pace::LIVELY).await.unwrap();
        assert_eq!(written.into_inner(), b"\0\0\0\x03one\0\0\0\0\0\0\0\x03two");
    }

    #[tokio::test]
    async fn a_full_queue_refuses_and_forgets_nothing() {
        let queue = queue();
        let frame = vec![1; FRAME_BYTES_MAX];
        let mut taken = 0;
        while queue.push(&frame).is_ok() {
            taken += 1;
        }
        assert_eq!(queue.push(&frame), Err(SendError::Full));
        assert_eq!(taken, QUEUE_BYTES_MAX / (FRAME_BYTES_MAX + LENGTH_BYTES));
        queue.push(b"a small one still fits").unwrap();
        let mut batch = Vec::new();
        assert!(queue.take(&mut batch).await);
        assert_eq!(
            batch.len(),
            taken * (FRAME_BYTES_MAX + LENGTH_BYTES) + LENGTH_BYTES + 22
        );
        queue.push(&frame).unwrap();
    }

    #[test]
    fn all_queues_together_are_bounded_and_a_dropped_one_gives_back() {
        let all = Waiting::default();
        let frame = vec![1; FRAME_BYTES_MAX];
        let mut queues = Vec::new();
        loop {
            let queue = Queue::new(all.clone());
            let before = all.load(Ordering::Relaxed);
            while queue.push(&frame).is_ok() {}
            queues.push(queue);
            if all.load(Ordering::Relaxed) == before {
                break;
            }
        }
        assert!(all.load(Ordering::Relaxed) <= QUEUES_BYTES_MAX);
        assert!(queues.len() > QUEUES_BYTES_MAX / QUEUE_BYTES_MAX);
        drop(queues);
        assert_eq!(all.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_frame_over_the_limit_is_refused() {
        let refused = queue().push(&vec![0; FRAME_BYTES_MAX + 1]);
        assert_eq!(
            refused,
            Err(SendError::TooLong {
                bytes: FRAME_BYTES_MAX + 1,
                max: FRAME_BYTES_MAX
            })
        );
    }

    #[tokio::test]
    async fn an_idle_writer_shows_life_and_an_answering_one_does_not() {
        let pause = Duration::from_millis(20);
        let lively = Pace {
            keepalive: Some(pause),
            ..Pace::LIVELY
        };
        for (pace, expected) in [(lively, 3..=25), (Pace::ANSWERING, 0..=0)] {
            let queue = queue();
            let mut written = Cursor::new(Vec::new());
            let _ = timeout(pause * 25, write_all(&queue, &mut written, pace)).await;
            let written = written.into_inner();
            assert!(written.iter().all(|&byte| byte == 0));
            assert!(
                expected.contains(&(written.len() / LENGTH_BYTES)),
                "{}",
                written.len()
            );
        }
    }

    /// Takes nothing, ever.
    struct Stuck;

    impl AsyncWrite for Stuck {
        fn poll_write(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            _: &[u8],
        ) -> std::task::Poll<std::io::Result<usize>> {
            std::task::Poll::Pending
        }
        fn poll_flush(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            std::task::Poll::Pending
        }
        fn poll_close(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            std::task::Poll::Pending
        }
    }

    #[tokio::test]
    async fn a_stuck_stream_ends_its_writer() {
        let queue = queue();
        queue.push(b"x").unwrap();
        let pace = Pace {
            keepalive: None,
            stall_max: Duration::from_millis(20),
        };
        let end = write_all(&queue, Stuck, pace).await;
        assert_eq!(end, Err(StreamError::Stalled { seconds: 0 }));
    }
}
