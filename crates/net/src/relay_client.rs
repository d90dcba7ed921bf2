// SPDX-License-Identifier: MIT OR Apache-2.0
//! Links to relays: one stream each, brought back when it falls, never under the node's own key.
//!
//! Each connection has a swarm and a key of its own, made for it and thrown away with it. Two relays, or one relay on
//! two days, cannot tell by key that they served the same node. Nothing listens and identify does not run here; what
//! a relay still sees is the IP address.

pub(crate) mod connection;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use comptoir_protocol::id::RelayKey;
use libp2p::PeerId;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep};

use crate::address;
use crate::config::RelayNetConfig;
use crate::error::{OpenError, RelayDown, SendError};
use crate::queue::{Queue, Waiting};

/// Events of one link that may wait. Full: nothing more is read from the relay.
const LINK_EVENTS_MAX: usize = 64;

/// A stream that lived this long starts the next row of pauses at the shortest one.
const HEALTHY: Duration = Duration::from_secs(30);

/// A hurried link still pauses this long, so that a caller in a loop does not become a flood.
const HURRY_MIN: Duration = Duration::from_millis(250);

/// What happens on a link. `Up` and `Down` alternate; frames come only while it is up. A link starts down, and says
/// `Down` once when its first attempt fails.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RelayEvent {
    /// The stream is open. The relay proved its key.
    Up,
    /// The stream is gone, or could not be opened. Requests without an answer must be made again.
    Down(RelayDown),
    /// A frame from the relay, never empty.
    Frame(Vec<u8>),
}

/// Opens links to relays. Clones share the limit.
#[derive(Clone, Debug)]
pub struct RelayNet {
    config: Arc<RelayNetConfig>,
    links: Arc<AtomicUsize>,
    waiting: Waiting,
}

impl RelayNet {
    /// Takes the limits; opens nothing yet.
    pub fn start(config: RelayNetConfig) -> Self {
        Self {
            config: Arc::new(config),
            links: Arc::default(),
            waiting: Waiting::default(),
        }
    }

    /// Opens a link and keeps it until it is dropped. Must run inside a tokio runtime.
    /// Bad addresses are no error here: the link says `Down` and tries again, since a later card may bring better ones.
    pub fn open(&self, relay: RelayKey, addresses: Vec<String>) -> Result<RelayLink, OpenError> {
        let peer = address::peer_id(&relay.0).ok_or(OpenError::BadKey)?;
        let slot = Slot::take(&self.links, self.config.links_max)?;
        let (events, receiver) = mpsc::channel(LINK_EVENTS_MAX);
        let shared = Arc::new(LinkShared {
            queue: Mutex::new(None),
            waiting: self.waiting.clone(),
            hurry: Notify::new(),
        });
        let keeper = Keeper {
            relay,
            peer,
            addresses,
            config: self.config.clone(),
            shared: shared.clone(),
            events,
        };
        tokio::spawn(async move {
            keeper.run().await;
            drop(slot);
        });
        Ok(RelayLink {
            relay,
            events: receiver,
            shared,
        })
    }
}

/// One of the links that a `RelayNet` may hold.
struct Slot(Arc<AtomicUsize>);

impl Slot {
    fn take(links: &Arc<AtomicUsize>, max: usize) -> Result<Self, OpenError> {
        let add = |count| (count < max).then_some(count + 1);
        links
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add)
            .map(|_| Self(links.clone()))
            .map_err(|_| OpenError::TooMany(max))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a link and its senders share with its keeper.
#[derive(Debug)]
struct LinkShared {
    /// The queue of the stream that is open now.
    queue: Mutex<Option<Arc<Queue>>>,
    waiting: Waiting,
    /// Cuts a pause short.
    hurry: Notify,
}

impl LinkShared {
    fn send(&self, frame: &[u8]) -> Result<(), SendError> {
        match &*self.queue.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(queue) => queue.push(frame),
            None => Err(SendError::NotConnected),
        }
    }

    fn set(&self, queue: Option<Arc<Queue>>) {
        *self.queue.lock().unwrap_or_else(PoisonError::into_inner) = queue;
    }
}

/// A link to one relay. Dropped, it closes.
#[derive(Debug)]
pub struct RelayLink {
    relay: RelayKey,
    events: mpsc::Receiver<RelayEvent>,
    shared: Arc<LinkShared>,
}

impl RelayLink {
    /// The relay's key.
    pub fn relay(&self) -> RelayKey {
        self.relay
    }

    /// The next event. Cancel-safe. 64 events may wait; then nothing more is read from the relay.
    /// `None` only if the runtime is shutting down.
    pub async fn next(&mut self) -> Option<RelayEvent> {
        self.events.recv().await
    }

    /// Queues a frame; at most 4 MiB wait. While the link is down: `NotConnected`. `Ok` means queued, not answered:
    /// what was unanswered at `Down` must be asked again.
    pub fn send(&self, frame: &[u8]) -> Result<(), SendError> {
        self.shared.send(frame)
    }

    /// Tries again now if the link is down and pausing: somebody needs it, or the network has changed. A pause lasts
    /// at least 250 ms, however often this is called.
    pub fn hurry(&self) {
        self.shared.hurry.notify_one();
    }

    /// Sends on this link from elsewhere. It does not keep the link open.
    pub fn sender(&self) -> RelaySender {
        RelaySender {
            shared: self.shared.clone(),
        }
    }
}

/// Sends frames on a link. Clones send on the same one; once the link is dropped they answer `NotConnected`.
#[derive(Clone, Debug)]
pub struct RelaySender {
    shared: Arc<LinkShared>,
}

impl RelaySender {
    /// As [`RelayLink::send`].
    pub fn send(&self, frame: &[u8]) -> Result<(), SendError> {
        self.shared.send(frame)
    }
}

/// Keeps one link: connects, serves, waits, and again, until the link is dropped.
struct Keeper {
    relay: RelayKey,
    peer: PeerId,
    addresses: Vec<String>,
    config: Arc<RelayNetConfig>,
    shared: Arc<LinkShared>,
    events: mpsc::Sender<RelayEvent>,
}

impl Keeper {
    async fn run(self) {
        let mut pause = self.config.backoff_min;
        let mut said_down = false;
        loop {
            let started = Instant::now();
            let (was_up, reason) = tokio::select! {
                end = self.connect_and_serve() => end,
                () = self.events.closed() => break,
            };
            self.shared.set(None);
            tracing::debug!(relay = ?self.relay, %reason, "the link to a relay is down");
            if (was_up || !said_down) && self.events.send(RelayEvent::Down(reason)).await.is_err() {
                break;
            }
            said_down = true;
            if was_up && started.elapsed() > HEALTHY {
                pause = self.config.backoff_min;
            }
            tokio::select! {
                () = sleep(shortened(pause, random())) => {}
                () = self.hurried() => pause = self.config.backoff_min,
                () = self.events.closed() => break,
            }
            pause = (pause * 2).min(self.config.backoff_max);
        }
        self.shared.set(None);
    }

    async fn hurried(&self) {
        sleep(HURRY_MIN).await;
        self.shared.hurry.notified().await;
    }

    /// Returns whether the link was up, and why it is no longer.
    async fn connect_and_serve(&self) -> (bool, RelayDown) {
        match connection::open(&self.peer, &self.addresses).await {
            Ok(connection) => {
                let queue = Arc::new(Queue::new(self.shared.waiting.clone()));
                self.shared.set(Some(queue.clone()));
                if self.events.send(RelayEvent::Up).await.is_err() {
                    return (false, RelayDown::Closed);
                }
                let reason = connection.serve(&queue, &self.events).await;
                queue.close();
                (true, reason)
            }
            Err(failure) => (false, failure.into()),
        }
    }
}

/// Takes up to half off a pause, so that clients do not return to a restarted relay in step.
fn shortened(pause: Duration, random: u8) -> Duration {
    pause - pause.mul_f64(f64::from(random) / 512.0)
}

fn random() -> u8 {
    let mut byte = [0];
    // Without randomness all pauses are whole, and nothing else changes.
    let _ = getrandom::fill(&mut byte);
    byte[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_shortened_by_at_most_half() {
        let pause = Duration::from_secs(8);
        assert_eq!(shortened(pause, 0), pause);
        assert!(shortened(pause, 255) >= pause / 2 && shortened(pause, 255) < pause * 51 / 100);
    }

    #[test]
    fn a_slot_comes_back() {
        let links = Arc::new(AtomicUsize::new(0));
        let first = Slot::take(&links, 1);
        assert!(first.is_ok());
        assert_eq!(
            Slot::take(&links, 1).map(|_| ()),
            Err(OpenError::TooMany(1))
        );
        drop(first);
        assert!(Slot::take(&links, 1).is_ok());
    }
}
