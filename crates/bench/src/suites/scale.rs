// SPDX-License-Identifier: MIT OR Apache-2.0
//! Scale: 10,000 threads of two with 20 messages each, opened by a fresh node that then has nothing to do.

use std::time::Duration;

use anyhow::Context as _;
use serde_json::json;

use super::{MIB, Terms, number};
use crate::figure::Report;
use crate::people::{Pair, Process, Way, person};

const TALKS: u32 = 10_000;
/// From either side.
const MESSAGES: u64 = 10;
/// What the node is left alone for before its memory is read.
const IDLE: Duration = Duration::from_secs(5 * 60);
const IDLE_SHORT: Duration = Duration::from_secs(30);

pub(crate) fn measure(terms: &Terms, report: &mut Report) -> anyhow::Result<()> {
    let folder = terms.fresh()?;
    let mut pair = Pair::meet(folder.path(), Way::Direct)?;
    for one in [&mut pair.alice, &mut pair.bob] {
        one.ask(&json!({ "do": "lone", "tag": "talk", "messages": MESSAGES }))?;
    }
    std::thread::sleep(super::delivery::SETTLED);
    let port = pair.ports()[0];
    pair.finish()?;
    let home = folder.path().join("alice");
    let path = home.to_str().context("a path in UTF-8")?;
    let (copies, _) = Process::start(&["copies", path, &TALKS.to_string()])?;
    copies.finish()?;
    let (mut open, mut rss, mut cpu) = (Vec::new(), Vec::new(), Vec::new());
    for run in 0..terms.runs {
        let (mut alice, ready) = person(folder.path(), "alice", port)?;
        open.push(number(&ready, "open_us") / 1e6);
        // The memory of a node that was left alone is read once: it is minutes of waiting.
        if run == 0 {
            let wait = terms.either(IDLE, IDLE_SHORT);
            let before = alice.ask(&json!({ "do": "usage" }))?;
            std::thread::sleep(wait);
            let after = alice.ask(&json!({ "do": "usage" }))?;
            rss.push(number(&after, "rss_bytes") / MIB);
            let worked = number(&after, "cpu_us") - number(&before, "cpu_us");
            cpu.push(worked / wait.as_micros() as f64 * 100.0);
        }
        alice.finish()?;
    }
    report.figure("scale.threads_10k_open", "s", &open);
    report.figure(&terms.named("scale.threads_10k_rss"), "MiB", &rss);
    report.figure(&terms.named("scale.threads_10k_cpu"), "% of a core", &cpu);
    Ok(())
}
