// SPDX-License-Identifier: MIT OR Apache-2.0
//! A relay keeps a message for somebody who is away. Nobody here can dial anybody else: all goes through the relay.
//!
//! Usage: cargo run --profile ci -p comptoir-examples --example run_a_relay

use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use comptoir::{ContentView, HistoryItem, Home, InviteOptions, MessageState, Node, NodeBuilder, Relay, RelayOptions};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let world = tempfile::tempdir()?;
    let home = Home::new(world.path().join("relay"));
    home.create()?;
    let listen = vec!["/ip4/127.0.0.1/tcp/0".to_owned()];
    // `open`: whoever has the link may open boxes. Without it a ticket is needed.
    let relay = Relay::start(home, RelayOptions { listen, announce: Vec::new(), open: true }).await?;

    let alice = start(&world.path().join("alice")).await?;
    let bob = start(&world.path().join("bob")).await?;
    for (node, name) in [(&alice, "Alice"), (&bob, "Bob")] {
        node.create_persona("main", name, &Node::new_phrase()?).await?;
        node.add_relay("main", &relay.link()).await?;
    }

    // An invite is of use to a stranger once the relay has a front door for it.
    let link = eventually(async || {
        let Ok(link) = alice.invite("main", InviteOptions::default()).await else {
            return Ok(None);
        };
        Ok(bob.add_contact("main", &link, "Hello through the relay.").await.ok())
    });
    link.await?;
    let request = eventually(async || Ok(alice.requests("main")?.first().map(|request| request.request))).await?;
    let (_, with_bob) = alice.accept("main", request).await?;
    let with_alice = async || Ok(bob.contacts("main")?.first().and_then(|contact| contact.thread));
    let with_alice = eventually(with_alice).await?;
    println!("Alice and Bob have met through the relay.");

    // Bob goes away; what Alice says waits at the relay, which cannot read it.
    bob.shutdown().await;
    drop(bob);
    alice.send("main", with_bob, "Come by when you are back.").await?;
    eventually(async || Ok((state(&alice, with_bob)? == Some(MessageState::Stored)).then_some(()))).await?;
    println!("Alice: the relay has it.");

    let bob = start(&world.path().join("bob")).await?;
    let text = eventually(async || {
        let newest = bob.history(with_alice, 1)?.pop();
        Ok(newest.and_then(|item| match item {
            HistoryItem::Message(message) => match message.content {
                ContentView::Text(text) => Some(text),
                _ => None,
            },
            HistoryItem::Gap { .. } => None,
        }))
    });
    let text = text.await?;
    ensure!(text == "Come by when you are back.", "Bob got something else: {text}");
    println!("Bob, back again: {text}");
    eventually(async || Ok((state(&alice, with_bob)? == Some(MessageState::Delivered)).then_some(()))).await?;
    println!("Alice: Bob has it.");

    alice.shutdown().await;
    bob.shutdown().await;
    relay.stop().await;
    Ok(())
}

/// A node that listens nowhere.
async fn start(folder: &Path) -> anyhow::Result<Node> {
    Ok(NodeBuilder::new(Home::new(folder)).listen(Vec::new()).create().start().await?)
}

/// How far the newest message has come.
fn state(node: &Node, thread: u32) -> anyhow::Result<Option<MessageState>> {
    Ok(match node.history(thread, 1)?.pop() {
        Some(HistoryItem::Message(message)) => message.state,
        _ => None,
    })
}

/// Looks again and again until there is something.
async fn eventually<T>(mut look: impl AsyncFnMut() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
    for _ in 0..600 {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("it did not happen within a minute")
}
