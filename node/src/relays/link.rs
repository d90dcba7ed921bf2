// SPDX-License-Identifier: MIT OR Apache-2.0
//! The link: one stream to one relay, its challenge, and the calls under way on it.

use std::collections::BTreeMap;
use std::time::Duration;

use comptoir_engine::{Input, RelayCall, RelayNews};
use comptoir_net::{RelayEvent, RelayLink, RelayNet};
use comptoir_protocol::codec::Wire as _;
use comptoir_protocol::frame::{AnswerFrame, RelayAnswer, RelayRequest, SignedRequest};
use comptoir_protocol::id::RelayKey;
use ed25519_dalek::SigningKey;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::unreachable;
use crate::driver::DriverHandle;

/// A relay that says nothing for so long has not answered; its own commit takes some milliseconds.
const ANSWER_WAIT: Duration = Duration::from_secs(15);

/// A call waits so long for the link to come up: a dial takes some milliseconds, a handshake across the world one second.
const LINK_WAIT: Duration = Duration::from_secs(5);

/// A link nobody called on for so long closes. Own relays are called at least every few minutes by the engine's timers.
const IDLE_MAX: Duration = Duration::from_secs(15 * 60);

/// What the node asks of a link.
pub(super) enum Order {
    /// Make this call.
    Call(Box<RelayCall>),
}

/// One relay's link.
pub(super) struct Link {
    relay: RelayKey,
    net: RelayNet,
    driver: DriverHandle,
    orders: mpsc::UnboundedReceiver<Order>,
    addresses: Vec<String>,
    /// Set by the first frame of a stream; without it nothing can be signed.
    challenge: Option<[u8; 32]>,
    /// Calls for which there was no stream yet.
    waiting: Vec<(Instant, Box<RelayCall>)>,
    /// Request id → call and when to give it up.
    under_way: BTreeMap<u64, (Instant, u64)>,
    next_request: u64,
    last_call: Instant,
}

impl Link {
    pub(super) fn new(
        relay: RelayKey,
        net: RelayNet,
        driver: DriverHandle,
        orders: mpsc::UnboundedReceiver<Order>,
    ) -> Self {
        Self {
            relay,
            net,
            driver,
            orders,
            addresses: Vec::new(),
            challenge: None,
            waiting: Vec::new(),
            under_way: BTreeMap::new(),
            next_request: 1,
            last_call: Instant::now(),
        }
    }

    /// Serves calls until nobody makes any, or the node ends.
    pub(super) async fn run(mut self) {
        let Some(Order::Call(first)) = self.orders.recv().await else {
            return;
        };
        self.addresses.clone_from(&first.relay.addresses);
        let mut link = match self.net.open(self.relay, self.addresses.clone()) {
            Ok(link) => link,
            Err(error) => {
                tracing::warn!(%error, "no link to a relay");
                return unreachable(&self.driver, self.relay, first.call).await;
            }
        };
        self.waiting.push((Instant::now() + LINK_WAIT, first));
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                order = self.orders.recv() => match order {
                    Some(Order::Call(call)) => self.take(&mut link, call).await,
                    None => return,
                },
                event = link.next() => match event {
                    Some(event) => self.on_event(&link, event).await,
                    None => return,
                },
                _ = tick.tick() => {
                    self.give_up_late(Instant::now()).await;
                    let idle = self.under_way.is_empty() && self.waiting.is_empty() && self.last_call.elapsed() > IDLE_MAX;
                    if idle {
                        self.say(RelayNews::Down).await;
                        return;
                    }
                }
            }
        }
    }

    async fn take(&mut self, link: &mut RelayLink, call: Box<RelayCall>) {
        self.last_call = Instant::now();
        let moved = call.relay.addresses != self.addresses && !call.relay.addresses.is_empty();
        if self.challenge.is_none() && moved {
            self.addresses.clone_from(&call.relay.addresses);
            if let Ok(other) = self.net.open(self.relay, self.addresses.clone()) {
                *link = other;
            }
        }
        match self.challenge {
            Some(challenge) => self.send(link, *call, &challenge).await,
            None => {
                // The engine waits between tries; when it does call, the link's own pause must not stand in between.
                link.hurry();
                self.waiting.push((Instant::now() + LINK_WAIT, call));
            }
        }
    }

    async fn send(&mut self, link: &RelayLink, call: RelayCall, challenge: &[u8; 32]) {
        let RelayCall {
            relay: _,
            call,
            request,
            signer,
        } = call;
        let id = self.next_request;
        self.next_request += 1;
        let extra = match &request {
            RelayRequest::Fetch { wait_s, .. } => Duration::from_secs(u64::from(*wait_s)),
            _ => Duration::ZERO,
        };
        let signed = match signer {
            Some(seed) => SignedRequest::sign(
                id,
                &request,
                &SigningKey::from_bytes(seed.expose()),
                &self.relay,
                challenge,
            ),
            None => SignedRequest::unsigned(id, &request),
        };
        match link.send(&signed.to_bytes()) {
            Ok(()) => {
                self.under_way
                    .insert(id, (Instant::now() + ANSWER_WAIT + extra, call));
            }
            Err(_) => unreachable(&self.driver, self.relay, call).await,
        }
    }

    async fn on_event(&mut self, link: &RelayLink, event: RelayEvent) {
        match event {
            RelayEvent::Frame(bytes) => match AnswerFrame::from_bytes(&bytes) {
                Ok(frame) => self.on_frame(link, frame).await,
                // A relay of a newer version may say what we do not know; the call it belongs to runs into its time.
                Err(error) => tracing::warn!(%error, "a relay sent a frame that cannot be read"),
            },
            RelayEvent::Down(reason) => {
                tracing::info!(%reason, "a relay is down");
                self.challenge = None;
                self.give_up_all().await;
                self.say(RelayNews::Down).await;
            }
            // Up: the relay speaks first; nothing can be signed before its challenge is here.
            _ => {}
        }
    }

    async fn on_frame(&mut self, link: &RelayLink, frame: AnswerFrame) {
        match (frame.request_id, frame.answer) {
            (0, RelayAnswer::Challenge(challenge)) => {
                self.challenge = Some(challenge);
                self.say(RelayNews::Up).await;
                for (_, call) in std::mem::take(&mut self.waiting) {
                    self.send(link, *call, &challenge).await;
                }
            }
            (0, pushed) => self.say(RelayNews::Pushed(pushed)).await,
            (id, answer) => {
                if let Some((_, call)) = self.under_way.remove(&id) {
                    self.say(RelayNews::Answer {
                        call,
                        answer: Ok(answer),
                    })
                    .await;
                }
            }
        }
    }

    async fn give_up_late(&mut self, now: Instant) {
        let late: Vec<u64> = self
            .under_way
            .iter()
            .filter(|(_, (until, _))| *until <= now)
            .map(|(id, _)| *id)
            .collect();
        for id in late {
            if let Some((_, call)) = self.under_way.remove(&id) {
                unreachable(&self.driver, self.relay, call).await;
            }
        }
        let (late, waiting): (Vec<_>, Vec<_>) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|(until, _)| *until <= now);
        self.waiting = waiting;
        for (_, call) in late {
            unreachable(&self.driver, self.relay, call.call).await;
        }
    }

    async fn give_up_all(&mut self) {
        let under_way = std::mem::take(&mut self.under_way)
            .into_values()
            .map(|(_, call)| call);
        let waiting = std::mem::take(&mut self.waiting)
            .into_iter()
            .map(|(_, call)| call.call);
        for call in under_way.chain(waiting).collect::<Vec<_>>() {
            unreachable(&self.driver, self.relay, call).await;
        }
    }

    async fn say(&self, news: RelayNews) {
        self.driver
            .input(Input::Relay {
                relay: self.relay,
                news,
            })
            .await;
    }
}
