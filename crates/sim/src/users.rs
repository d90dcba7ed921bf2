// SPDX-License-Identifier: MIT OR Apache-2.0
//! The users of a world: what they ask, again after every crash until it is answered, and what they were promised.

use std::collections::BTreeMap;

use comptoir_engine::query::{self, ContactView};
use comptoir_engine::rows::contact::Decision;
use comptoir_engine::{
    Answer, Command, CommandId, Idempotency, Input, MessageAt, NewMessage, Phrase, Refusal, Setting,
};
use comptoir_protocol::body::Body;
use comptoir_protocol::id::{DeviceId, Lane};

use crate::world::{Happening, World};

/// The first persona's number.
const MAIN: u16 = comptoir_engine::MAIN;

/// Own messages of which one is amended: few, so that several amendments meet at one message.
const AMENDED_AMONG: usize = 8;

/// Something a user wants, by a number of its own: asked twice, it must happen once.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    number: u64,
    pub(crate) what: What,
}

/// What a user wants.
#[derive(Clone, Debug)]
pub(crate) enum What {
    Persona(String),
    Relay(usize),
    Invite,
    Add(String),
    Accept(u32),
    Send(Vec<String>),
    /// Another text for an own message; none erases it.
    Amend {
        sequence: u64,
        text: Option<String>,
    },
    Read,
    Rename,
}

/// What happens because somebody does something.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Ask(What),
    /// Edits or erases one of the newest own messages.
    Amend {
        pick: u64,
        text: Option<String>,
    },
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

/// Somebody at a node.
#[derive(Debug, Default)]
pub(crate) struct User {
    number: usize,
    next_ask: u64,
    /// Not answered yet.
    todo: BTreeMap<u64, Ask>,
    /// What the node promised to have stored: sequence → text.
    pub(crate) sent: BTreeMap<u64, String>,
    /// What the node promised to have changed: sequence → number of the ask → text; none erases.
    amended: BTreeMap<u64, BTreeMap<u64, Option<String>>>,
    pub(crate) link: Option<String>,
    pub(crate) answered: u64,
}

impl User {
    pub(crate) fn new(number: usize) -> Self {
        Self {
            number,
            ..Self::default()
        }
    }

    /// Nothing is waited for any more.
    pub(crate) fn is_content(&self) -> bool {
        self.todo.is_empty()
    }

    /// The node died before it answered these.
    pub(crate) fn take_back(&mut self, asks: BTreeMap<CommandId, Ask>) {
        self.todo
            .extend(asks.into_values().map(|ask| (ask.number, ask)));
    }

    /// Hears an answer. What was promised once is never promised differently.
    pub(crate) fn on_answer(
        &mut self,
        ask: &Ask,
        answer: &Result<Answer, Refusal>,
    ) -> Result<(), String> {
        self.todo.remove(&ask.number);
        self.answered += 1;
        match (&ask.what, answer) {
            (What::Invite, Ok(Answer::Invite { link, .. })) => self.link = Some(link.clone()),
            (What::Send(texts), Ok(Answer::Sent { from, to, .. })) => {
                return self.promised(texts, *from, *to);
            }
            (What::Amend { sequence, text }, Ok(_)) => {
                let amended = self.amended.entry(*sequence).or_default();
                amended.insert(ask.number, text.clone());
            }
            (What::Send(_), Err(refusal)) => return Err(format!("a send was refused: {refusal}")),
            _ => {}
        }
        Ok(())
    }

    /// What both sides must show in the end: an erasure stands over every edit, among edits the last.
    pub(crate) fn shows(&self) -> Vec<(u64, Option<&str>)> {
        let shown = |(sequence, text)| {
            let amended: Option<&BTreeMap<u64, Option<String>>> = self.amended.get(sequence);
            let erased = amended.is_some_and(|amended| amended.values().any(Option::is_none));
            let last = amended.and_then(|amended| amended.values().next_back()?.as_deref());
            let text: &String = text;
            (*sequence, (!erased).then_some(last.unwrap_or(text)))
        };
        self.sent.iter().map(shown).collect()
    }

    /// Every text of messages that were erased.
    pub(crate) fn erased_texts(&self) -> Vec<&str> {
        let erased = self
            .amended
            .iter()
            .filter(|(_, amended)| amended.values().any(Option::is_none));
        let texts = erased.flat_map(|(sequence, amended)| {
            let edits = amended.values().filter_map(Option::as_deref);
            self.sent
                .get(sequence)
                .map(String::as_str)
                .into_iter()
                .chain(edits)
        });
        texts.collect()
    }

    fn promised(&mut self, texts: &[String], from: u64, to: u64) -> Result<(), String> {
        if (to + 1).saturating_sub(from) != texts.len() as u64 {
            return Err(format!(
                "I1: {} messages were asked for, {from} to {to} promised",
                texts.len()
            ));
        }
        for (sequence, text) in (from..).zip(texts) {
            if let Some(other) = self
                .sent
                .insert(sequence, text.clone())
                .filter(|other| other != text)
            {
                return Err(format!(
                    "I2: message {sequence} was promised as {other:?} and as {text:?}"
                ));
            }
        }
        Ok(())
    }

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
                    ticket: None,
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
            What::Send(texts) => {
                let messages = texts
                    .iter()
                    .map(|text| NewMessage {
                        body: Body::text(text.clone()),
                    })
                    .collect();
                (
                    MAIN,
                    Command::Send {
                        thread: thread()?,
                        lane: Lane::Service,
                        messages,
                    },
                )
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

    pub(crate) fn contact_of(&self, node: usize) -> Option<ContactView> {
        let running = self.nodes[node].running.as_ref()?;
        query::contacts(&running.core.committed(), MAIN)
            .ok()?
            .into_iter()
            .next()
    }

    fn device_of(&self, node: usize) -> Option<DeviceId> {
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
