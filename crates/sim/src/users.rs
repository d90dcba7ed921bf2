// SPDX-License-Identifier: MIT OR Apache-2.0
//! The users of a world: what they asked for, again after every crash until it is answered, and what they were promised.

use std::collections::BTreeMap;

use comptoir_engine::{Answer, CommandId, MessageAt, Refusal};

/// A leave for promotions as asked for: none takes it back.
type Leave = Option<u64>;

/// Something a user wants, by a number of its own: asked twice, it must happen once.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) number: u64,
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
    /// Lets the other send promotions until a wall time; none takes that back.
    Allow {
        ends_ms: Leave,
    },
    /// Sends promotions.
    Promote(Vec<String>),
    /// Taps what is held back: one message, or all.
    Show(Option<MessageAt>),
}

/// Somebody at a node.
#[derive(Debug, Default)]
pub(crate) struct User {
    pub(crate) number: usize,
    pub(crate) next_ask: u64,
    /// Not answered yet.
    pub(crate) todo: BTreeMap<u64, Ask>,
    /// What the node promised to have stored: sequence → text.
    pub(crate) sent: BTreeMap<u64, String>,
    /// The same of promotions, which have numbers of their own.
    pub(crate) promoted: BTreeMap<u64, String>,
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

    /// Leaves for promotions that were asked for and not answered.
    pub(crate) fn leaves_asked(&self) -> Vec<Leave> {
        let leaves = self.todo.values().filter_map(|ask| match ask.what {
            What::Allow { ends_ms } => Some(ends_ms),
            _ => None,
        });
        leaves.collect()
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
                return promised(&mut self.sent, texts, *from, *to);
            }
            (What::Promote(texts), Ok(Answer::Sent { from, to, .. })) => {
                return promised(&mut self.promoted, texts, *from, *to);
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
}

fn promised(
    sent: &mut BTreeMap<u64, String>,
    texts: &[String],
    from: u64,
    to: u64,
) -> Result<(), String> {
    if (to + 1).saturating_sub(from) != texts.len() as u64 {
        return Err(format!(
            "I1: {} messages were asked for, {from} to {to} promised",
            texts.len()
        ));
    }
    for (sequence, text) in (from..).zip(texts) {
        if let Some(other) = sent
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
