// SPDX-License-Identifier: MIT OR Apache-2.0
//! Two people meet by an invite link and talk; each sees in the events how far a message has come.
//!
//! Usage: cargo run --profile ci -p comptoir-examples --example two_peers

use std::time::Duration;

use anyhow::{Context as _, ensure};
use comptoir::{ContentView, Event, EventStream, HistoryItem, Home, InviteOptions, MessageState, Node, NodeBuilder};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let world = tempfile::tempdir()?;
    let alice = start(Home::new(world.path().join("alice")), "Alice").await?;
    let bob = start(Home::new(world.path().join("bob")), "Bob").await?;
    let (mut at_alice, mut at_bob) = (alice.events(0), bob.events(0));

    // Alice gives her link away; whoever has it may ask once.
    let link = alice.invite("main", InviteOptions::default()).await?;
    bob.add_contact("main", &link, "We met at the market.").await?;

    let request = see(&mut at_alice, |event| match event {
        Event::RequestReceived { request, .. } => Some(*request),
        _ => None,
    });
    let (_, with_bob) = alice.accept("main", request.await?).await?;
    let with_alice = see(&mut at_bob, |event| match event {
        Event::ContactAdded { thread, .. } => Some(*thread),
        _ => None,
    });
    let with_alice = with_alice.await?;

    // `send` returns once the message is on our disk. What becomes of it comes as events.
    let sent = bob.send("main", with_alice, "Are the plums ripe?").await?;
    has_come(&mut at_bob, sent.sequence, MessageState::Delivered).await?;
    println!("Bob: it is on Alice's disk.");

    // Messages are numbered per author; the nodes themselves have said a thing or two before.
    let received = see(&mut at_alice, |event| match event {
        Event::MessagesReceived { thread, to, .. } if *thread == with_bob => Some(*to),
        _ => None,
    });
    ensure!(received.await? >= sent.sequence, "another message than the one sent");
    let last = alice.history(with_bob, 1)?;
    let Some(HistoryItem::Message(message)) = last.first() else { anyhow::bail!("Alice has no message") };
    ensure!(message.content == ContentView::Text("Are the plums ripe?".into()), "not what Bob said");
    println!("Alice sees: {:?}", message.content);

    // Reading is said too, unless the persona keeps it to itself.
    alice.mark_read("main", with_bob).await?;
    has_come(&mut at_bob, sent.sequence, MessageState::Read).await?;
    println!("Bob: Alice has read it.");

    alice.shutdown().await;
    bob.shutdown().await;
    Ok(())
}

/// A node on loopback, with one persona. A real program shows the phrase to its user and keeps it nowhere.
async fn start(home: Home, name: &str) -> anyhow::Result<Node> {
    let listen = vec!["/ip4/127.0.0.1/tcp/0".to_owned()];
    let node = NodeBuilder::new(home).listen(listen).create().start().await?;
    node.create_persona("main", name, &Node::new_phrase()?).await?;
    Ok(node)
}

/// Waits until own message `sequence` has come this far.
async fn has_come(events: &mut EventStream, sequence: u64, far: MessageState) -> anyhow::Result<()> {
    let moved = |event: &Event| match event {
        Event::MessagesMoved { from, to, state, .. } => {
            ((*from..=*to).contains(&sequence) && *state >= far).then_some(())
        }
        _ => None,
    };
    see(events, moved).await
}

/// Waits for the event that `look` looks for.
async fn see<T>(events: &mut EventStream, look: impl Fn(&Event) -> Option<T>) -> anyhow::Result<T> {
    let found = async {
        while let Some((_, record)) = events.next().await? {
            if let Some(found) = look(&record.event) {
                return Ok(found);
            }
        }
        anyhow::bail!("the node was shut down")
    };
    tokio::time::timeout(Duration::from_secs(60), found).await.context("nothing of the kind happened")?
}
