// SPDX-License-Identifier: MIT OR Apache-2.0
//! Events read while commits are under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use comptoir_engine::{Command, Setting};

use crate::home::Home;
use crate::node::{Node, NodeBuilder};

/// Commits during which events are read without a pause: many of them are met under way.
const COMMITS: u64 = 100;

#[tokio::test(flavor = "multi_thread")]
async fn no_event_is_read_before_it_is_durable() {
    let folder = std::env::temp_dir().join(format!("comptoir-events-{}", std::process::id()));
    let builder = NodeBuilder::new(Home::new(&folder)).offline().create();
    let node = builder.start().await.unwrap();
    let phrase = Node::new_phrase().unwrap();
    node.create_persona("main", "Ada", &phrase).await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let reading = tokio::task::spawn_blocking({
        let (node, done) = (node.clone(), Arc::clone(&done));
        move || {
            let (mut after, mut too_early) = (0, 0);
            while !done.load(Ordering::Relaxed) {
                for (number, _) in node.durable_events(after, 16).unwrap() {
                    too_early += u32::from(number > node.newest_event());
                    after = number;
                }
            }
            (after, too_early)
        }
    });
    let mut renamed = 0;
    while renamed < COMMITS {
        let rename = Command::Set(Setting::Name(format!("Ada {renamed}")));
        if node.ask("main", rename, None).await.is_err() {
            break;
        }
        renamed += 1;
    }
    let newest = node.newest_event();
    done.store(true, Ordering::Relaxed);
    let (read, too_early) = reading.await.unwrap();
    node.shutdown().await;
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(renamed, COMMITS);
    assert!(read >= COMMITS / 2, "{read} of {newest} events were read");
    assert_eq!(too_early, 0, "of {read} events");
}
