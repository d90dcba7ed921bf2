// SPDX-License-Identifier: MIT OR Apache-2.0
//! People: what they ask of their nodes in a world, and what they see there.

use comptoir_engine::*;

use crate::world::World;

impl World {
    pub fn ask(&mut self, at: usize, command: Command) -> Result<Answer, Refusal> {
        self.ask_once(at, command, None)
    }

    pub fn ask_once(
        &mut self,
        at: usize,
        command: Command,
        idempotency: Option<Idempotency>,
    ) -> Result<Answer, Refusal> {
        self.give(at, 1, command, idempotency)
    }

    pub fn ask_as(&mut self, at: usize, persona: u16, command: Command) -> Result<Answer, Refusal> {
        self.give(at, persona, command, None)
    }

    fn give(
        &mut self,
        at: usize,
        persona: u16,
        command: Command,
        idempotency: Option<Idempotency>,
    ) -> Result<Answer, Refusal> {
        let id = CommandId(self.nodes[at].next_command);
        self.nodes[at].next_command += 1;
        self.input(
            at,
            Input::Command {
                id,
                persona,
                command,
                idempotency,
            },
        );
        let answer = self.nodes[at].answers.pop().unwrap();
        self.settle();
        answer
    }

    pub fn invite(&mut self, at: usize) -> String {
        match self.ask(
            at,
            Command::Invite {
                expires_s: 86_400,
                uses: 3,
                as_ref: false,
            },
        ) {
            Ok(Answer::Invite { link, .. }) => link,
            other => panic!("{other:?}"),
        }
    }

    pub fn add(&mut self, at: usize, link: &str) -> u32 {
        match self.ask(
            at,
            Command::Add {
                link: link.into(),
                reason: "we met at the market".into(),
            },
        ) {
            Ok(Answer::Added { contact }) => contact,
            other => panic!("{other:?}"),
        }
    }

    pub fn accept_all(&mut self, at: usize) {
        for request in query::requests(&self.nodes[at].view, 1).unwrap() {
            self.ask(
                at,
                Command::Accept {
                    request: request.request,
                },
            )
            .unwrap();
        }
    }

    /// Makes the first two nodes contacts.
    pub fn befriend(&mut self) {
        let link = self.invite(0);
        self.add(1, &link);
        self.pass(15_000);
        self.accept_all(0);
        self.pass(15_000);
    }

    /// The one thread with another that a node has.
    pub fn thread(&self, at: usize) -> u32 {
        let threads = query::threads(&self.nodes[at].view, 1).unwrap();
        assert!(
            !threads.is_empty(),
            "node {at} has no thread, input {:?}",
            self.told
        );
        threads[0].thread
    }

    pub fn say(&mut self, at: usize, text: &str) {
        let thread = self.thread(at);
        self.try_say(at, thread, &[text]).unwrap();
    }

    /// Sends a text; nobody hears anything of it yet.
    pub fn say_unheard(&mut self, at: usize, text: &str) {
        let messages = vec![NewMessage {
            body: comptoir_protocol::body::Body::text(text),
        }];
        let command = Command::Send {
            thread: self.thread(at),
            lane: comptoir_protocol::id::Lane::Service,
            messages,
        };
        let id = CommandId(self.nodes[at].next_command);
        self.nodes[at].next_command += 1;
        let (persona, idempotency) = (1, None);
        self.input(
            at,
            Input::Command {
                id,
                persona,
                command,
                idempotency,
            },
        );
        self.nodes[at].answers.pop().unwrap().unwrap();
    }

    /// A node takes what came first; what it sends waits.
    pub fn hear_one(&mut self, at: usize) {
        let input = self.nodes[at].inbox.pop_front().unwrap();
        self.input(at, input);
    }

    /// A node takes all that came; what it sends waits.
    pub fn hear_all(&mut self, at: usize) {
        for input in std::mem::take(&mut self.nodes[at].inbox) {
            self.input(at, input);
        }
    }

    /// What came to a node first is lost.
    pub fn lose_one(&mut self, at: usize) {
        self.nodes[at].inbox.pop_front().unwrap();
    }

    pub fn try_say(&mut self, at: usize, thread: u32, texts: &[&str]) -> Result<Answer, Refusal> {
        let messages = texts
            .iter()
            .map(|text| NewMessage {
                body: comptoir_protocol::body::Body::text(*text),
            })
            .collect();
        self.ask(
            at,
            Command::Send {
                thread,
                lane: comptoir_protocol::id::Lane::Service,
                messages,
            },
        )
    }

    pub fn history(&self, at: usize) -> Vec<query::HistoryItem> {
        query::history(
            &self.nodes[at].view,
            self.thread(at),
            query::From::Start,
            1_000_000,
        )
        .unwrap()
        .unwrap()
        .items
    }

    pub fn texts(&self, at: usize) -> Vec<String> {
        self.messages(at)
            .into_iter()
            .map(|message| match message.content {
                query::ContentView::Text(text) => text,
                other => format!("{other:?}"),
            })
            .collect()
    }

    pub fn messages(&self, at: usize) -> Vec<query::MessageView> {
        self.history(at)
            .into_iter()
            .filter_map(|item| match item {
                query::HistoryItem::Message(message) => Some(message),
                query::HistoryItem::Gap { .. } => None,
            })
            .collect()
    }

    pub fn outbox(&self, at: usize) -> u64 {
        query::threads(&self.nodes[at].view, 1)
            .unwrap()
            .iter()
            .map(|thread| thread.waiting)
            .sum()
    }

    pub fn saw(&self, at: usize, wanted: impl Fn(&Event) -> bool) -> bool {
        self.nodes[at].events.iter().any(|(_, event)| wanted(event))
    }
}
