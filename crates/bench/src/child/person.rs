// SPDX-License-Identifier: MIT OR Apache-2.0
//! The person: a node that does what its stdin says, a JSON object a line, and answers each with one.

mod send;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use comptoir::{
    ContentView, Event, HistoryItem, Home, InviteOptions, MessageState, Node, NodeBuilder,
};
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc};

use crate::clock;

const MAIN: &str = "main";

/// How long anything that needs the other side may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A node and what its events have told so far.
struct Person {
    node: Node,
    seen: Arc<Seen>,
}

/// What the events told.
#[derive(Default)]
struct Seen {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// Own messages that are on the other side's disk, by sequence of the thread, and when that was seen.
    delivered: BTreeMap<u64, u64>,
    /// Up to here all of them are.
    delivered_up_to: u64,
    /// Batches that came in: first, last, when.
    received: Vec<(u64, u64, u64)>,
    thread: Option<u32>,
}

pub(crate) fn run(home: PathBuf, name: &str, port: Option<u16>) -> anyhow::Result<()> {
    super::runtime()?.block_on(async {
        let (person, opened) = Person::start(home, name, port).await?;
        super::say(&json!({ "open_us": opened.as_secs_f64() * 1e6 }));
        let mut lines = lines();
        while let Some(line) = lines.recv().await {
            let asked: Value =
                serde_json::from_str(&line).context("what the parent says is JSON")?;
            let answer = person
                .answer(&asked)
                .await
                .with_context(|| format!("{name}: {}", asked["do"]))?;
            super::say(&answer);
        }
        person.node.shutdown().await;
        Ok(())
    })
}

/// What the parent says, line by line; ends with stdin.
fn lines() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}

impl Person {
    /// Starts the node; says how long it took until commands were answered.
    async fn start(
        home: PathBuf,
        name: &str,
        port: Option<u16>,
    ) -> anyhow::Result<(Self, Duration)> {
        let listen = port
            .map(|port| format!("/ip4/127.0.0.1/tcp/{port}"))
            .into_iter()
            .collect();
        let begun = std::time::Instant::now();
        let node = NodeBuilder::new(Home::new(home))
            .listen(listen)
            .create()
            .start()
            .await?;
        let opened = begun.elapsed();
        if node.personas()?.is_empty() {
            node.create_persona(MAIN, name, &Node::new_phrase()?)
                .await?;
        }
        let seen = Arc::new(Seen::default());
        if let Some(thread) = node
            .contacts(MAIN)?
            .into_iter()
            .find_map(|contact| contact.thread)
        {
            seen.change(|state| state.thread = Some(thread));
        }
        tokio::spawn(Arc::clone(&seen).watch(node.clone(), node.newest_event()));
        Ok((Self { node, seen }, opened))
    }

    async fn answer(&self, asked: &Value) -> anyhow::Result<Value> {
        let text = |field: &str| {
            asked[field]
                .as_str()
                .with_context(|| format!("{field} is missing"))
        };
        let number = |field: &str| {
            asked[field]
                .as_u64()
                .with_context(|| format!("{field} is missing"))
        };
        match text("do")? {
            "use-relay" => {
                self.node.add_relay(MAIN, text("link")?).await?;
                Ok(json!({}))
            }
            "invite" => {
                Ok(json!({ "link": self.node.invite(MAIN, InviteOptions::default()).await? }))
            }
            "add" => {
                self.node
                    .add_contact(MAIN, text("link")?, "for the figures")
                    .await?;
                Ok(json!({}))
            }
            "accept" => self.accept().await,
            "thread" => Ok(json!({ "thread": self.thread().await? })),
            "flood" => {
                self.flood(text("tag")?, number("messages")?, number("window")?)
                    .await
            }
            "lone" => self.lone(text("tag")?, number("messages")?).await,
            "received" => Ok(
                json!({ "received": self.seen.change(|state| std::mem::take(&mut state.received)) }),
            ),
            "history" => self.check_history(text("tag")?, number("messages")?).await,
            "usage" => Ok(json!({ "cpu_us": clock::cpu_us(), "rss_bytes": clock::rss_bytes() })),
            other => bail!("nobody knows how to {other}"),
        }
    }

    /// Accepts the first request that comes.
    async fn accept(&self) -> anyhow::Result<Value> {
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            let waiting = self.node.requests(MAIN)?;
            if let Some(request) = waiting.first() {
                let (_, thread) = self.node.accept(MAIN, request.request).await?;
                return Ok(json!({ "thread": thread }));
            }
            ensure!(tokio::time::Instant::now() < until, "no request came");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The thread with the one contact, once there is one.
    async fn thread(&self) -> anyhow::Result<u32> {
        self.seen.wait_for(|state| state.thread).await
    }

    /// Reads the texts of `tag` back and says how many are missing, and how many came more than once.
    async fn check_history(&self, tag: &str, messages: u64) -> anyhow::Result<Value> {
        let thread = self.thread().await?;
        let mut counts = BTreeMap::<String, u64>::new();
        let limit = usize::try_from(messages)? + 1024;
        let node = self.node.clone();
        for item in tokio::task::spawn_blocking(move || node.history(thread, limit)).await?? {
            if let HistoryItem::Message(message) = item
                && !message.own
                && let ContentView::Text(text) = message.content
            {
                *counts.entry(text).or_default() += 1;
            }
        }
        let missing = (0..messages)
            .filter(|number| !counts.contains_key(&send::text(tag, *number)))
            .count();
        let twice = counts.values().filter(|count| **count > 1).count();
        Ok(json!({ "missing": missing, "twice": twice }))
    }
}

impl Seen {
    /// Follows the node's events until it is shut down.
    async fn watch(self: Arc<Self>, node: Node, after: u64) {
        let mut events = node.events(after);
        loop {
            match events.next().await {
                Ok(Some((_, record))) => self.note(&record.event),
                Ok(None) => return,
                Err(error) => {
                    eprintln!("events cannot be read: {error}");
                    return;
                }
            }
        }
    }

    fn note(&self, event: &Event) {
        let now = clock::now_us();
        self.change(|state| match event {
            Event::ContactAdded { thread, .. } => state.thread = Some(*thread),
            Event::MessagesMoved {
                from,
                to,
                state: MessageState::Delivered,
                ..
            } => {
                state
                    .delivered
                    .extend((*from..=*to).map(|sequence| (sequence, now)));
                while state.delivered.contains_key(&(state.delivered_up_to + 1)) {
                    state.delivered_up_to += 1;
                }
            }
            Event::MessagesReceived { from, to, .. } => state.received.push((*from, *to, now)),
            _ => {}
        });
        self.changed.notify_waiters();
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until the events have told what `look` looks for.
    async fn wait_for<T>(&self, look: impl Fn(&State) -> Option<T>) -> anyhow::Result<T> {
        let found = async {
            loop {
                // Registered before looking: what changes in between wakes us.
                let changed = self.changed.notified();
                if let Some(found) = self.change(|state| look(state)) {
                    return found;
                }
                changed.await;
            }
        };
        tokio::time::timeout(PATIENCE, found)
            .await
            .context("what was waited for did not come")
    }
}
