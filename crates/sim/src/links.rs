// SPDX-License-Identifier: MIT OR Apache-2.0
//! The links: what goes between nodes and relays, and what is lost on the way.

use comptoir_engine::{Input, RelayCall, RelayNews, Unreachable};
use comptoir_protocol::frame::{RelayAnswer, RelayRequest, SignedRequest};
use comptoir_protocol::id::RelayKey;
use ed25519_dalek::SigningKey;
use rand_core::Rng as _;

use crate::relay::Session;
use crate::world::{Happening, World};

/// A relay that does not answer is given up after this.
const RELAY_SILENCE_MS: u64 = 15_000;
/// After a link broke, the next is opened within this time.
const RELAY_PAUSE_MS_MIN: u64 = 125;
const RELAY_PAUSE_MS_MAX: u64 = 8_000;

impl World {
    pub(crate) fn session(&self, node: usize, relay: RelayKey) -> Option<u64> {
        let relay = self.relays.iter().find(|known| known.key() == relay)?;
        relay.sessions.get(&node).map(|session| session.id)
    }

    pub(crate) fn call(&mut self, node: usize, call: RelayCall) {
        let (life, relay, delay) = (self.nodes[node].life, call.relay.key, self.delay());
        let session = self.session(node, relay);
        self.later(
            delay,
            Happening::Request {
                node,
                life,
                relay,
                session,
                call: Box::new(call),
            },
        );
    }

    pub(crate) fn on_request(
        &mut self,
        node: usize,
        life: u64,
        key: RelayKey,
        sent_on: Option<u64>,
        call: &RelayCall,
    ) {
        if self.nodes[node].life != life {
            return;
        }
        let answer = |session, answer| Happening::Answer {
            node,
            life,
            relay: key,
            session,
            call: call.call,
            answer,
        };
        let Some(at) = self
            .relays
            .iter()
            .position(|relay| relay.key() == key && relay.is_up())
        else {
            self.tally.count("relay_unreachable");
            let wait = self.below(5_000);
            return self.later(wait, answer(None, None));
        };
        // What was sent on a link that is gone went with it; a new one is opened after a pause, as the real client does.
        let present = self.session(node, key);
        let paused = self.relays[at]
            .pauses
            .get(&node)
            .is_some_and(|until| *until > self.now_ms);
        if (sent_on.is_some() && sent_on != present) || (present.is_none() && paused) {
            let wait = self.below(5_000);
            return self.later(wait, answer(None, None));
        }
        if present.is_none() {
            self.open_session(node, at);
        }
        let Some(session) = self.relays[at].sessions.get(&node) else {
            return;
        };
        let (id, challenge) = (session.id, session.challenge);
        let lost = self.chance(self.faults.relay_losses);
        // Half of what is lost is the request, half the answer: then it had its effect.
        if lost && self.chance(5_000) {
            return self.lose(node, at, answer(None, None));
        }
        let signed = match &call.signer {
            Some(seed) => SignedRequest::sign(
                call.call,
                &call.request,
                &SigningKey::from_bytes(seed.expose()),
                &key,
                &challenge,
            ),
            None => SignedRequest::unsigned(call.call, &call.request),
        };
        let now = self.relay_time();
        let (said, pushes) = self.relays[at].serve(node, &signed, now, &mut self.tally);
        if let RelayRequest::Fetch { rid, .. } = &call.request {
            self.checks.on_fetch(node, call.call, *rid);
        }
        self.push(at, &pushes);
        if lost {
            return self.lose(node, at, answer(None, None));
        }
        let delay = self.delay();
        self.later(delay, answer(Some(id), Some(Box::new(said))));
        if self.chance(self.faults.relay_kills) {
            self.kill_relay(at);
        }
    }

    pub(crate) fn on_relay_answer(
        &mut self,
        node: usize,
        relay: RelayKey,
        call: u64,
        answer: Result<RelayAnswer, Unreachable>,
    ) {
        if let Ok(RelayAnswer::Items { items, .. }) = &answer
            && !self.nodes[node].asleep
        {
            let running = self.nodes[node].running.as_ref();
            if let Err(error) = self.checks.on_items(node, relay, call, items, running) {
                return self.fail(error);
            }
        }
        let news = RelayNews::Answer { call, answer };
        self.give(node, Input::Relay { relay, news });
    }

    fn open_session(&mut self, node: usize, at: usize) {
        let mut challenge = [0; 32];
        self.rng.fill_bytes(&mut challenge);
        self.next += 1;
        let session = Session {
            id: self.next,
            challenge,
            rids: Default::default(),
        };
        self.relays[at].sessions.insert(node, session);
        let relay = self.relays[at].key();
        self.give(
            node,
            Input::Relay {
                relay,
                news: RelayNews::Up,
            },
        );
    }

    /// What was lost took the link along.
    fn lose(&mut self, node: usize, at: usize, answer: Happening) {
        self.tally.count("relay_lost");
        self.relays[at].sessions.remove(&node);
        let pause = RELAY_PAUSE_MS_MIN + self.below(RELAY_PAUSE_MS_MAX);
        self.relays[at].pauses.insert(node, self.now_ms + pause);
        let wait = self.below(RELAY_SILENCE_MS);
        self.later(wait, answer);
        let relay = self.relays[at].key();
        self.give(
            node,
            Input::Relay {
                relay,
                news: RelayNews::Down,
            },
        );
    }

    fn push(&mut self, at: usize, pushes: &[comptoir_mailbox::News]) {
        let relay = self.relays[at].key();
        let told: Vec<(usize, u64, RelayAnswer)> = pushes
            .iter()
            .flat_map(|news| {
                let listening = self.relays[at]
                    .sessions
                    .iter()
                    .filter(|(_, session)| session.rids.contains(&news.rid));
                listening.map(|(node, session)| {
                    (
                        *node,
                        session.id,
                        RelayAnswer::News {
                            rid: news.rid,
                            sequence: news.sequence,
                        },
                    )
                })
            })
            .collect();
        for (node, session, answer) in told {
            let delay = self.delay();
            self.later(
                delay,
                Happening::Push {
                    node,
                    relay,
                    session,
                    answer: Box::new(answer),
                },
            );
        }
    }

    /// Kills a relay; it is started again after a while.
    pub(crate) fn kill_relay(&mut self, at: usize) {
        let forget = self.relays[at].forgetful && self.chance(self.faults.relay_forgets);
        self.tally.count("relay_killed");
        if forget {
            self.tally.count("relay_forgot");
        }
        let lost: Vec<usize> = self.relays[at].sessions.keys().copied().collect();
        self.relays[at].die(forget);
        let relay = self.relays[at].key();
        for node in lost {
            self.give(
                node,
                Input::Relay {
                    relay,
                    news: RelayNews::Down,
                },
            );
        }
        let wait = self.death_ms();
        self.later(wait, Happening::RelayStart { relay: at });
    }
}
