// SPDX-License-Identifier: MIT OR Apache-2.0
//! The relay: boxes for others in this home, served over the network. It cannot read what it keeps.

mod session;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use comptoir_kv::{EngineKind, KvError, Options};
use comptoir_mailbox::{
    Config, KvMailbox, Limits, MailboxError, MailboxWriter, TicketTerms, issue_ticket,
};
use comptoir_net::{
    FrameSender, Net, NetConfig, NetError, NetEvent, NetHandle, RelayAcceptor, RelayLimits, Seed,
};
use comptoir_protocol::codec::Wire as _;
use comptoir_protocol::frame::{AnswerFrame, RelayAnswer};
use comptoir_protocol::id::{RelayKey, Rid};
use comptoir_protocol::link::RelayLink;
use comptoir_protocol::relay::RelayDescriptor;
use ed25519_dalek::SigningKey;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use crate::address::worth_telling;
use crate::home::{Home, secret_file};
use crate::random::{NoRandomness, random};
use crate::time::{Clock, wall_ms};

/// The relay's own work (expiry, stale readers) is looked after this often.
const SWEEP_PAUSE: Duration = Duration::from_secs(10);

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Where a relay listens when nobody says otherwise: a fixed port, since links name it.
const DEFAULT_PORT: u16 = 4100;

/// Addresses a relay puts into its links: a card has room for few, and a newcomer tries them in turn.
const ADDRESSES_MAX: usize = comptoir_protocol::limits::ADDRESSES_MAX;

/// How a relay runs.
#[derive(Debug, Clone, Default)]
pub struct RelayOptions {
    /// Where to listen, as multiaddrs. Empty: TCP and QUIC on port 4100 of every interface.
    pub listen: Vec<String>,
    /// Addresses for links. Empty: those it listens on.
    pub announce: Vec<String>,
    /// Whether boxes are opened without a ticket.
    pub open: bool,
}

/// Why a relay does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RelayError {
    /// A file of the home cannot be used.
    #[error("{}: {source}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The boxes' store did not open.
    #[error(transparent)]
    Kv(#[from] KvError),
    /// The boxes cannot be used.
    #[error(transparent)]
    Mailbox(#[from] MailboxError),
    /// The network did not start.
    #[error(transparent)]
    Net(#[from] NetError),
    /// The system gave no randomness.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// No relay has run in this home yet, so nobody knows its address.
    #[error("run the relay once first: its addresses are not known yet")]
    NeverRun,
}

/// A running relay.
pub struct Relay {
    net: NetHandle,
    link: RelayLink,
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

/// What the streams of a relay share.
pub(crate) struct Shared {
    pub(crate) key: RelayKey,
    pub(crate) writer: MailboxWriter,
    pub(crate) clock: Clock,
    subscribers: Mutex<Subscribers>,
}

/// Boxes one stream is told of: 64 pages of 256, for ten thousand contacts and their promotions.
// Full: a further page is refused; those boxes are looked into now and then all the same.
const SUBSCRIBED_PER_STREAM_MAX: usize = 64 * 256;

/// Who is told of news in a box.
#[derive(Default)]
struct Subscribers {
    by_box: BTreeMap<Rid, BTreeMap<u64, FrameSender>>,
    by_stream: BTreeMap<u64, BTreeSet<Rid>>,
    /// Fetches that wait for a box.
    waiting: BTreeMap<Rid, Vec<Arc<Notify>>>,
}

impl Relay {
    /// Opens the boxes of `home` and serves them. Must be called inside a tokio runtime.
    pub async fn start(home: Home, options: RelayOptions) -> Result<Self, RelayError> {
        let folder = home.relay();
        std::fs::create_dir_all(&folder).map_err(|source| RelayError::File {
            path: folder,
            source,
        })?;
        let seed = relay_seed(&home)?;
        let key = SigningKey::from_bytes(&seed);
        let relay = RelayKey(key.verifying_key().to_bytes());
        let config = match options.listen.as_slice() {
            [] => NetConfig::everywhere(Seed::new(seed), DEFAULT_PORT),
            addresses => NetConfig::new(Seed::new(seed), addresses.to_vec()),
        };
        let mailbox = open_mailbox(
            &home,
            Config {
                key,
                addresses: Vec::new(),
                open: options.open,
                limits: Limits::default(),
            },
        )?;
        let writer = MailboxWriter::start(mailbox, ChaCha20Rng::from_seed(random()?))?;
        let (net, events, acceptor) = Net::start_relay(config, RelayLimits::default()).await?;
        let mut addresses = if options.announce.is_empty() {
            worth_telling(&net.listen_addresses())
        } else {
            options.announce
        };
        addresses.truncate(ADDRESSES_MAX);
        writer.set_addresses(addresses.clone())?;
        let link = RelayLink {
            relay: RelayDescriptor {
                key: relay,
                addresses,
            },
            ticket: None,
        };
        write_link(&home, &link)?;
        let shared = Arc::new(Shared {
            key: relay,
            writer,
            clock: Clock::new(random()?),
            subscribers: Mutex::default(),
        });
        let tasks = vec![
            tokio::spawn(accept(acceptor, Arc::clone(&shared))),
            tokio::spawn(refuse_peers(events, net.clone())),
            tokio::spawn(sweep(Arc::clone(&shared))),
        ];
        Ok(Self {
            net,
            link,
            shared,
            tasks,
        })
    }

    /// The link that makes somebody use this relay; without a ticket.
    pub fn link(&self) -> String {
        self.link.to_string()
    }

    /// The addresses it listens on.
    pub fn listen(&self) -> Vec<String> {
        self.net.listen_addresses()
    }

    /// Leaves the network, then finishes what was taken.
    pub async fn stop(self) {
        let Self {
            net,
            link: _,
            shared,
            tasks,
        } = self;
        net.shutdown().await;
        tasks.iter().for_each(JoinHandle::abort);
        for task in tasks {
            let _ = task.await;
        }
        // The last handle of the writer: its thread ends after what was taken.
        let _ = tokio::task::spawn_blocking(move || drop(shared)).await;
    }
}

/// Makes a link with a fresh ticket for the relay of `home`. Works whether the relay runs or not.
pub(crate) fn ticket_link(
    home: &Home,
    mebibytes: u64,
    boxes: u32,
    days: u32,
    guests: u32,
) -> Result<String, RelayError> {
    let path = link_file(home);
    let text = std::fs::read_to_string(&path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => RelayError::NeverRun,
        _ => RelayError::File {
            path: path.clone(),
            source,
        },
    })?;
    let mut link: RelayLink =
        text.trim()
            .parse()
            .map_err(|error: comptoir_protocol::link::LinkError| {
                let source = std::io::Error::new(std::io::ErrorKind::InvalidData, error);
                RelayError::File { path, source }
            })?;
    let key = SigningKey::from_bytes(&relay_seed(home)?);
    let not_after_ms = wall_ms() + u64::from(days) * DAY_MS;
    let terms = TicketTerms {
        bytes: mebibytes.saturating_mul(1 << 20),
        boxes,
        not_after_ms,
        guests,
    };
    link.ticket = Some(issue_ticket(
        &key,
        terms,
        &mut ChaCha20Rng::from_seed(random()?),
    ));
    Ok(link.to_string())
}

fn relay_seed(home: &Home) -> Result<[u8; 32], RelayError> {
    let (path, fresh) = (home.relay().join("relay.key"), random()?);
    secret_file(&path, || fresh).map_err(|source| RelayError::File { path, source })
}

fn open_mailbox(home: &Home, config: Config) -> Result<KvMailbox, RelayError> {
    // redb opens at once and gives space back: what a box holds comes and goes.
    let options = Options::new(home.relay().join("boxes"), EngineKind::Redb);
    Ok(KvMailbox::open(comptoir_kv::open(&options)?, config)?)
}

fn link_file(home: &Home) -> PathBuf {
    home.relay().join("relay.link")
}

fn write_link(home: &Home, link: &RelayLink) -> Result<(), RelayError> {
    let path = link_file(home);
    std::fs::write(&path, link.to_string()).map_err(|source| RelayError::File { path, source })
}

async fn accept(mut acceptor: RelayAcceptor, shared: Arc<Shared>) {
    let mut number = 0;
    while let Some(stream) = acceptor.next().await {
        number += 1;
        tokio::spawn(session::serve(stream, number, Arc::clone(&shared)));
    }
}

/// A relay talks to nobody as a peer: its endpoint would otherwise be a way into a conversation it has no part in.
async fn refuse_peers(mut events: mpsc::Receiver<NetEvent>, net: NetHandle) {
    while let Some(event) = events.recv().await {
        if let NetEvent::PeerConnected { peer } = event {
            let _ = net.disconnect(peer);
        }
    }
}

async fn sweep(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(SWEEP_PAUSE).await;
        loop {
            let (told, more) = tokio::sync::oneshot::channel();
            let asked = shared.writer.sweep(shared.clock.now(), move |outcome| {
                let _ = told.send(outcome.unwrap_or(false));
            });
            if asked.is_err() || !more.await.unwrap_or(false) {
                break;
            }
        }
    }
}

impl Shared {
    /// Tells streams and waiting fetches that something lies in a box.
    pub(crate) fn tell(&self, rid: Rid, sequence: u64) {
        let mut subscribers = self.subscribers();
        let frame = AnswerFrame {
            request_id: 0,
            answer: RelayAnswer::News { rid, sequence },
        }
        .to_bytes();
        for sender in subscribers
            .by_box
            .get(&rid)
            .into_iter()
            .flatten()
            .map(|(_, sender)| sender)
        {
            // Full: that stream is behind, and finds the item when it fetches.
            let _ = sender.send(&frame);
        }
        for waiting in subscribers.waiting.remove(&rid).into_iter().flatten() {
            waiting.notify_one();
        }
    }

    /// Adds to a stream's subscription; false, and nothing added, when that would be more than one stream may have.
    pub(crate) fn subscribe(&self, stream: u64, rids: &[Rid], sender: &FrameSender) -> bool {
        let mut subscribers = self.subscribers();
        let known = subscribers.by_stream.entry(stream).or_default();
        let fresh = rids.iter().filter(|rid| !known.contains(rid)).count();
        if known.len() + fresh > SUBSCRIBED_PER_STREAM_MAX {
            return false;
        }
        known.extend(rids);
        for rid in rids {
            subscribers
                .by_box
                .entry(*rid)
                .or_default()
                .insert(stream, sender.clone());
        }
        true
    }

    /// A stream ended.
    pub(crate) fn forget(&self, stream: u64) {
        self.subscribers().forget(stream);
    }

    /// Wakes `waiting` at the next news in a box.
    pub(crate) fn wait_for(&self, rid: Rid, waiting: &Arc<Notify>) {
        self.subscribers()
            .waiting
            .entry(rid)
            .or_default()
            .push(Arc::clone(waiting));
    }

    /// Nobody waits on this any longer.
    pub(crate) fn stop_waiting(&self, rid: Rid, waiting: &Arc<Notify>) {
        let mut subscribers = self.subscribers();
        if let Some(all) = subscribers.waiting.get_mut(&rid) {
            all.retain(|other| !Arc::ptr_eq(other, waiting));
            if all.is_empty() {
                subscribers.waiting.remove(&rid);
            }
        }
    }

    fn subscribers(&self) -> std::sync::MutexGuard<'_, Subscribers> {
        self.subscribers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscribers {
    fn forget(&mut self, stream: u64) {
        for rid in self.by_stream.remove(&stream).unwrap_or_default() {
            if let Some(streams) = self.by_box.get_mut(&rid) {
                streams.remove(&stream);
                if streams.is_empty() {
                    self.by_box.remove(&rid);
                }
            }
        }
    }
}
