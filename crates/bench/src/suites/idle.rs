// SPDX-License-Identifier: MIT OR Apache-2.0
//! Idle: a node with 50 contacts, 20,000 messages, two relays and one peer connected, while nobody says anything.

use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};

use super::delivery::{SETTLED, WINDOW};
use super::{MIB, Terms, number};
use crate::figure::Report;
use crate::people::{Process, Way, free_port, introduce, person};

const CONTACTS: usize = 50;
const MESSAGES: u64 = 20_000;
const RELAYS: usize = 2;
/// From when to when it is watched.
const QUIET: (Duration, Duration) = (Duration::from_secs(5 * 60), Duration::from_secs(10 * 60));
const QUIET_SHORT: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(90));

pub(crate) fn measure(terms: &Terms, report: &mut Report) -> anyhow::Result<()> {
    let folder = terms.fresh()?;
    let (mut relays, mut links) = (Vec::new(), Vec::new());
    for number in 0..RELAYS {
        let home = folder.path().join(format!("relay-{number}"));
        let (relay, first) = Process::start(&["relay", home.to_str().context("a path in UTF-8")?])?;
        links.push(first["link"].clone());
        relays.push(relay);
    }
    let (mut alice, _) = person(folder.path(), "alice", Some(free_port()?))?;
    use_relays(&mut alice, &links)?;
    let mut peer = None;
    for number in 0..CONTACTS {
        let (mut guest, _) = person(
            folder.path(),
            &format!("guest-{number}"),
            Some(free_port()?),
        )?;
        let last = number + 1 == CONTACTS;
        if last {
            use_relays(&mut guest, &links)?;
        }
        introduce(&mut guest, &mut alice, Way::Direct)?;
        let each = MESSAGES / CONTACTS as u64;
        guest.ask(
            &json!({ "do": "flood", "tag": format!("talk-{number}"), "messages": each, "window": WINDOW }),
        )?;
        if last {
            peer = Some(guest);
        } else {
            // Both have the other's signed word before it leaves for good.
            std::thread::sleep(SETTLED);
            guest.finish()?;
        }
    }
    let (from, to) = terms.either(QUIET, QUIET_SHORT);
    std::thread::sleep(from);
    let before = alice.ask(&json!({ "do": "usage" }))?;
    std::thread::sleep(to - from);
    let after = alice.ask(&json!({ "do": "usage" }))?;
    let worked = number(&after, "cpu_us") - number(&before, "cpu_us");
    let part = worked / (to - from).as_micros() as f64 * 100.0;
    report.figure(&terms.named("idle.cpu"), "% of a core", &[part]);
    report.figure(
        &terms.named("idle.rss"),
        "MiB",
        &[number(&after, "rss_bytes") / MIB],
    );
    alice.finish()?;
    peer.into_iter().chain(relays).try_for_each(Process::finish)
}

fn use_relays(one: &mut Process, links: &[Value]) -> anyhow::Result<()> {
    for link in links {
        one.ask(&json!({ "do": "use-relay", "link": link }))?;
    }
    Ok(())
}
