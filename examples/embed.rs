// SPDX-License-Identifier: MIT OR Apache-2.0
//! A program that deals with every event once, though it is stopped in the middle: it acknowledges by number, under a
//! name of its own, and goes on there. Two nodes in one process, no daemon.
//!
//! Usage: cargo run --profile ci -p comptoir-examples --example embed

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use comptoir::{ContentView, Event, HistoryItem, Home, InviteOptions, Node, NodeBuilder};

/// The name under which the shop notes how far it is. Another part of the program takes another.
const CONSUMER: &str = "orders";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let world = tempfile::tempdir()?;
    let shop = start(&world.path().join("shop")).await?;
    shop.create_persona("main", "Shop", &Node::new_phrase()?).await?;
    let customer = start(&world.path().join("customer")).await?;
    customer.create_persona("main", "Customer", &Node::new_phrase()?).await?;

    let link = shop.invite("main", InviteOptions::default()).await?;
    customer.add_contact("main", &link, "I should like to order.").await?;
    let request = eventually(|| Ok(shop.requests("main")?.first().map(|request| request.request))).await?;
    shop.accept("main", request).await?;
    let thread = eventually(|| Ok(customer.contacts("main")?.first().and_then(|contact| contact.thread))).await?;

    for order in ["one loaf", "two loaves", "three loaves"] {
        let sent = customer.send("main", thread, order).await?;
        println!("customer: {order} (message {})", sent.sequence);
        // One at a time, so that each is an event of its own.
        eventually(|| Ok((texts(&shop)?.last().map(String::as_str) == Some(order)).then_some(()))).await?;
    }

    // The first order is dealt with and acknowledged; then the program stops before the others.
    let first = orders(&shop, 1).await?;
    shop.shutdown().await;
    // The folder is free once the last clone of the node is gone.
    drop(shop);
    let shop = start(&world.path().join("shop")).await?;

    // The same folder again: it goes on behind the last number acknowledged.
    let rest = orders(&shop, 2).await?;
    ensure!(
        first.iter().chain(&rest).eq(["one loaf", "two loaves", "three loaves"].iter()),
        "an order lost or doubled"
    );
    println!("before the stop: {first:?}; after it: {rest:?}");

    customer.shutdown().await;
    shop.shutdown().await;
    Ok(())
}

/// Opens the node of a folder inside this program's own runtime.
async fn start(folder: &Path) -> anyhow::Result<Node> {
    let listen = vec!["/ip4/127.0.0.1/tcp/0".to_owned()];
    Ok(NodeBuilder::new(Home::new(folder)).listen(listen).create().start().await?)
}

/// Deals with the next `count` orders and acknowledges each, by its number, when it is dealt with.
async fn orders(shop: &Node, count: usize) -> anyhow::Result<Vec<String>> {
    let mut events = shop.events(shop.acknowledged(CONSUMER)?);
    let mut orders = Vec::new();
    while orders.len() < count {
        let next = tokio::time::timeout(Duration::from_secs(60), events.next()).await.context("no order came")?;
        let (number, record) = next?.context("the shop was shut down")?;
        if let Event::MessagesReceived { thread, to, .. } = record.event {
            for item in shop.history(thread, 100)? {
                if let HistoryItem::Message(message) = item
                    && message.place.sequence == to
                    && let ContentView::Text(order) = message.content
                {
                    orders.push(order);
                }
            }
        }
        // Durable on return: after a crash between the two, the event comes again, never not at all.
        shop.acknowledge(CONSUMER, number)?;
    }
    Ok(orders)
}

/// What the shop's customers said, oldest first.
fn texts(shop: &Node) -> anyhow::Result<Vec<String>> {
    let mut texts = Vec::new();
    for thread in shop.threads("main")?.iter().filter(|thread| thread.contact.is_some()) {
        for item in shop.history(thread.thread, 100)? {
            if let HistoryItem::Message(message) = item
                && let ContentView::Text(text) = message.content
            {
                texts.push(text);
            }
        }
    }
    Ok(texts)
}

/// Looks again and again until there is something.
async fn eventually<T>(look: impl Fn() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
    for _ in 0..6_000 {
        if let Some(found) = look()? {
            return Ok(found);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    anyhow::bail!("it did not happen within a minute")
}
