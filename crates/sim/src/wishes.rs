// SPDX-License-Identifier: MIT OR Apache-2.0
//! The wishes: what happens because somebody does something, and the command that a wish becomes.

use comptoir_engine::query::{self, ContactView};
use comptoir_engine::rows::contact::Decision;
use comptoir_engine::{
    Command, CommandId, Idempotency, Input, MessageAt, NewMessage, Phrase, Setting,
};
use comptoir_protocol::body::Body;
use comptoir_protocol::capability::{ALL_HOURS, CapabilityTerms};
use comptoir_protocol::id::{DeviceId, Lane};
use comptoir_protocol::limits::DEPOSIT_BYTES_MAX;

use crate::transcript::at;
use crate::users::{Ask, User, What};
use crate::world::{Happening, World};

/// The first persona's number.
const MAIN: u16 = comptoir_engine::MAIN;

/// Own messages of which one is amended: few, so that several amendments meet at one message.
const AMENDED_AMONG: usize = 8;
/// Promotions that a leave allows in an hour: more than anybody here sends.
const PROMOTIONS_MAX: u32 = 10_000;

/// What happens because somebody does something.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Ask(What),
    /// Edits or erases one of the newest own messages.
    Amend {
        pick: u64,
        text: Option<String>,
    },
    /// Lets the other send promotions for so long.
    Allow {
        for_ms: u64,
    },
    /// Taps one message that is held back, or all of them.
    Show {
        pick: u64,
    },
    /// Sends a promotion whether or not there is leave for it: the engine is made to believe that there is.
    PromoteUnasked(String),
    Kill,
    Sleep {
        for_ms: u64,
    },
    Awake,
    JumpClock {
        to_ms: i64,
    },
    Flood {
        victim: usize,
    },
    Break,
}

impl User {
    fn command(&self, world: &World, what: &What) -> Option<(u16, Command)> {
        let thread = || world.thread_of(self.number);
        Some(match what {
            What::Persona(words) => {
                let name = format!("person {}", self.number);
                (
                    0,
                    Command::CreatePersona {
                        phrase: Phrase(words.clone()),
                        name,
                    },
                )
            }
            What::Relay(relay) => (
                MAIN,
                Command::AddRelay {
                    relay: world.relays[*relay].descriptor(),
                    ticket: world.relays[*relay].ticket.clone(),
                },
            ),
            What::Invite => (
                MAIN,
                Command::Invite {
                    expires_s: 7 * 24 * 3600,
                    uses: 1,
                    as_ref: false,
                },
            ),
            What::Add(link) => (
                MAIN,
                Command::Add {
                    link: link.clone(),
                    reason: "from the market".to_owned(),
                },
            ),
            What::Accept(request) => (MAIN, Command::Accept { request: *request }),
            What::Send(texts) => (MAIN, send(thread()?, Lane::Service, texts)),
            What::Promote(texts) => (MAIN, send(thread()?, Lane::Promotion, texts)),
            What::Allow { ends_ms } => {
                let contact = world.contact_of(self.number)?.contact;
                let terms = ends_ms.map(terms);
                (MAIN, Command::AllowPromotions { contact, terms })
            }
            What::Show(message) => {
                let (thread, message) = (thread()?, *message);
                (MAIN, Command::ShowHeldBack { thread, message })
            }
            What::Amend { sequence, text } => {
                let message = MessageAt {
                    thread: thread()?,
                    author: world.device_of(self.number)?,
                    lane: Lane::Service,
                    sequence: *sequence,
                };
                let command = match text {
                    Some(text) => Command::Edit {
                        message,
                        text: text.clone(),
                    },
                    None => Command::Erase {
                        message,
                        only_here: false,
                    },
                };
                (MAIN, command)
            }
            What::Read => (
                MAIN,
                Command::MarkRead {
                    thread: thread()?,
                    up_to: None,
                },
            ),
            What::Rename => (
                MAIN,
                Command::Set(Setting::Name(format!("renamed {}", self.answered))),
            ),
        })
    }
}

fn send(thread: u32, lane: Lane, texts: &[String]) -> Command {
    let message = |text: &String| NewMessage {
        body: Body::text(text.clone()),
    };
    Command::Send {
        thread,
        lane,
        messages: texts.iter().map(message).collect(),
    }
}

pub(crate) fn terms(not_after_ms: u64) -> CapabilityTerms {
    CapabilityTerms {
        max: PROMOTIONS_MAX,
        period_s: 3_600,
        hours: ALL_HOURS,
        utc_offset_min: 0,
        max_bytes: u32::try_from(DEPOSIT_BYTES_MAX).unwrap_or(u32::MAX),
        not_after_ms,
    }
}

impl World {
    /// A user wants something; it is asked until it is answered.
    pub(crate) fn wants(&mut self, node: usize, what: What) {
        let user = &mut self.nodes[node].user;
        user.next_ask += 1;
        let ask = Ask {
            number: user.next_ask,
            what,
        };
        user.todo.insert(ask.number, ask.clone());
        self.ask(node, ask);
    }

    pub(crate) fn ask_again(&mut self, node: usize) {
        let todo: Vec<Ask> = self.nodes[node].user.todo.values().cloned().collect();
        if !todo.is_empty() {
            self.tally.count("asked_again");
        }
        todo.into_iter().for_each(|ask| self.ask(node, ask));
    }

    fn ask(&mut self, node: usize, ask: Ask) {
        let Some((persona, command)) = self.nodes[node].user.command(self, &ask.what) else {
            return;
        };
        let asleep = self.nodes[node].asleep;
        let Some(running) = self.nodes[node].running.as_mut().filter(|_| !asleep) else {
            return;
        };
        let id = CommandId(running.next_command);
        running.next_command += 1;
        let mut key = [0; 32];
        key[..8].copy_from_slice(&ask.number.to_be_bytes());
        let idempotency = Some(Idempotency {
            key,
            body_hash: key,
            expires_ms: u64::MAX,
        });
        running.asks.insert(id, ask);
        self.give(
            node,
            Input::Command {
                id,
                persona,
                command,
                idempotency,
            },
        );
    }

    pub(crate) fn on_act(&mut self, node: usize, act: Act) {
        match act {
            Act::Ask(what) => self.wants(node, what),
            Act::Amend { pick, text } => {
                let sent = &self.nodes[node].user.sent;
                let newest = sent.keys().rev().take(AMENDED_AMONG);
                let newest: Vec<u64> = newest.copied().collect();
                let at = usize::try_from(pick).unwrap_or(0) % newest.len().max(1);
                if let Some(sequence) = newest.get(at).copied() {
                    self.wants(node, What::Amend { sequence, text });
                }
            }
            Act::Allow { for_ms } => {
                let ends_ms = Some(self.nodes[node].time(self.now_ms).wall_ms + for_ms);
                self.wants(node, What::Allow { ends_ms });
            }
            Act::Show { pick } => self.tap(node, pick),
            Act::PromoteUnasked(text) => {
                self.pretend_leave(node);
                self.wants(node, What::Promote(vec![text]));
            }
            Act::Kill => self.kill(node),
            Act::Sleep { for_ms } => {
                self.tally.count("slept");
                self.disconnect_all(node);
                self.nodes[node].asleep = true;
                self.later(
                    for_ms,
                    Happening::Act {
                        node,
                        act: Act::Awake,
                    },
                );
            }
            Act::Awake => {
                self.nodes[node].asleep = false;
                for relay in 0..self.relays.len() {
                    let key = self.relays[relay].key();
                    self.give(
                        node,
                        Input::Relay {
                            relay: key,
                            news: comptoir_engine::RelayNews::Down,
                        },
                    );
                }
                self.give(node, Input::Tick);
                self.ask_again(node);
            }
            Act::JumpClock { to_ms } => {
                self.tally.count("clock_jumped");
                self.nodes[node].skew_ms = to_ms;
                self.give(node, Input::Tick);
            }
            Act::Flood { victim } => self.flood(node, victim),
            Act::Break => {
                for other in 0..self.nodes.len() {
                    self.disconnect(node, other);
                }
            }
        }
    }

    /// A tap on one of the messages that are held back, or, one time in four, on all of them.
    fn tap(&mut self, node: usize, pick: u64) {
        let Some(running) = self.nodes[node].running.as_ref() else {
            return;
        };
        let held = query::held_back(&running.core.committed(), MAIN, None, usize::MAX);
        let held: Vec<MessageAt> = held
            .unwrap_or_default()
            .iter()
            .map(|view| at(&view.message))
            .collect();
        let chosen = usize::try_from(pick / 4).unwrap_or(0) % held.len().max(1);
        if let Some(message) = held.get(chosen).copied() {
            let message = (!pick.is_multiple_of(4)).then_some(message);
            self.wants(node, What::Show(message));
        }
    }

    pub(crate) fn contact_of(&self, node: usize) -> Option<ContactView> {
        let running = self.nodes[node].running.as_ref()?;
        query::contacts(&running.core.committed(), MAIN)
            .ok()?
            .into_iter()
            .next()
    }

    pub(crate) fn device_of(&self, node: usize) -> Option<DeviceId> {
        let running = self.nodes[node].running.as_ref()?;
        let personas = query::personas(&running.core.committed()).ok()?;
        personas.first().map(|persona| persona.device)
    }

    pub(crate) fn thread_of(&self, node: usize) -> Option<u32> {
        self.contact_of(node)?.thread
    }

    /// An open request at a node.
    pub(crate) fn request_at(&self, node: usize) -> Option<u32> {
        let running = self.nodes[node].running.as_ref()?;
        let requests = query::requests(&running.core.committed(), MAIN).ok()?;
        requests
            .into_iter()
            .find(|request| request.decision == Decision::Open)
            .map(|request| request.request)
    }
}
