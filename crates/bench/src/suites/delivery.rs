// SPDX-License-Identifier: MIT OR Apache-2.0
//! Delivery: two processes, every message encrypted, committed on both ends, and read back from the receiver's history.

use std::path::Path;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::{Terms, limits, number};
use crate::figure::{Report, median, quantile};
use crate::people::{Pair, Process, Way};

/// Messages that may not be confirmed yet.
pub(super) const WINDOW: u64 = 1_024;
/// Lone messages of a run.
const LONE: u64 = 200;
/// Acknowledgements go out once a second.
pub(super) const SETTLED: std::time::Duration = std::time::Duration::from_secs(2);
/// First messages of a run, each after both were started again.
const FIRST: usize = 5;

pub(crate) fn measure(terms: &Terms, report: &mut Report) -> anyhow::Result<()> {
    limits::measure(terms, report)?;
    super::crypto::measure_pair(terms, report)?;
    let (mut floods, mut lones, mut first) = (Floods::default(), Lones::default(), Vec::new());
    for run in 0..terms.runs {
        let folder = terms.fresh()?;
        let mut pair = Pair::meet(folder.path(), Way::Direct)?;
        lones.take(&mut pair, &format!("lone-{run}"), LONE)?;
        floods.take(&mut pair, &format!("flood-{run}"), terms.messages, WINDOW)?;
        let relay = use_relay(&mut pair, folder.path())?;
        for round in 0..FIRST {
            // What is still owed would open a connection by itself after the start.
            std::thread::sleep(SETTLED);
            pair = pair.again(folder.path())?;
            // Up means: its relay knows that no copy of the device runs elsewhere.
            std::thread::sleep(SETTLED);
            let answer = pair.alice.ask(
                &json!({ "do": "lone", "tag": format!("first-{run}-{round}"), "messages": 1 }),
            )?;
            first.push(number(&answer["sent"][0], "confirmed_us") / 1e3);
        }
        pair.finish()?;
        relay.finish()?;
    }
    floods.report("delivery", report);
    lones.report("delivery", report);
    report.figure("delivery.first_message", "ms", &first);
    let reason = "libtoxcore is not linked: no crate of the workspace may hold unsafe code, and its binding would";
    report.nothing("tox.confirmed_rate", "1/s", reason);
    Ok(())
}

/// Gives both a relay, as people have one. Nothing is sent through it while the other side can be dialed.
fn use_relay(pair: &mut Pair, folder: &Path) -> anyhow::Result<Process> {
    let home = folder.join("relay");
    let (relay, told) = Process::start(&["relay", home.to_str().context("a path in UTF-8")?])?;
    for one in [&mut pair.alice, &mut pair.bob] {
        one.ask(&json!({ "do": "use-relay", "link": told["link"] }))?;
    }
    Ok(relay)
}

/// Runs of as many messages as go.
#[derive(Default)]
pub(super) struct Floods {
    rate: Vec<f64>,
    filled: Vec<f64>,
    cpu: Vec<f64>,
    sender: Vec<f64>,
    receiver: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
}

impl Floods {
    #[allow(clippy::cast_precision_loss)]
    pub(super) fn take(
        &mut self,
        pair: &mut Pair,
        tag: &str,
        messages: u64,
        window: u64,
    ) -> anyhow::Result<()> {
        pair.bob.ask(&json!({ "do": "received" }))?;
        let before = number(&pair.bob.ask(&json!({ "do": "usage" }))?, "cpu_us");
        let flood = pair
            .alice
            .ask(&json!({ "do": "flood", "tag": tag, "messages": messages, "window": window }))?;
        let after = number(&pair.bob.ask(&json!({ "do": "usage" }))?, "cpu_us");
        let read = pair
            .bob
            .ask(&json!({ "do": "history", "tag": tag, "messages": messages }))?;
        ensure!(
            read["missing"] == 0 && read["twice"] == 0,
            "the receiver's history is not what was sent: {read}"
        );
        let batches = pair.bob.ask(&json!({ "do": "received" }))?;
        let batches = batches["received"].as_array().map_or(0, Vec::len);
        let count = messages as f64;
        self.filled.push(count / batches as f64);
        let (sender, receiver) = (number(&flood, "cpu_us") / count, (after - before) / count);
        self.rate.push(count / number(&flood, "seconds"));
        self.sender.push(sender);
        self.receiver.push(receiver);
        self.cpu.push(sender + receiver);
        self.p50.push(number(&flood, "wait_p50_us") / 1e3);
        self.p99.push(number(&flood, "wait_p99_us") / 1e3);
        Ok(())
    }

    pub(super) fn report(&self, suite: &str, report: &mut Report) {
        report.figure(&format!("{suite}.confirmed_rate"), "1/s", &self.rate);
        report.figure(&format!("{suite}.confirmed_p50"), "ms", &self.p50);
        report.figure(&format!("{suite}.confirmed_p99"), "ms", &self.p99);
        report.figure(
            &format!("{suite}.messages_per_envelope"),
            "messages",
            &self.filled,
        );
        report.figure(&format!("{suite}.cpu_per_message"), "us", &self.cpu);
        report.figure(
            &format!("{suite}.cpu_per_message_sender"),
            "us",
            &self.sender,
        );
        report.figure(
            &format!("{suite}.cpu_per_message_receiver"),
            "us",
            &self.receiver,
        );
    }
}

/// Runs of messages one at a time.
#[derive(Default)]
pub(super) struct Lones {
    latency_p50: Vec<f64>,
    latency_p99: Vec<f64>,
    stored_p50: Vec<f64>,
    confirmed_p50: Vec<f64>,
}

impl Lones {
    pub(super) fn take(&mut self, pair: &mut Pair, tag: &str, messages: u64) -> anyhow::Result<()> {
        pair.bob.ask(&json!({ "do": "received" }))?;
        let answer = pair
            .alice
            .ask(&json!({ "do": "lone", "tag": tag, "messages": messages }))?;
        let received = pair.bob.ask(&json!({ "do": "received" }))?;
        let sent = answer["sent"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let arrival = |sequence: f64| {
            let batches = received["received"]
                .as_array()
                .map(Vec::as_slice)
                .unwrap_or_default();
            let holds = |batch: &&Value| {
                let at = |index: usize| batch[index].as_f64().unwrap_or(f64::NAN);
                at(0) <= sequence && sequence <= at(1)
            };
            batches
                .iter()
                .find(holds)
                .and_then(|batch| batch[2].as_f64())
        };
        let took =
            |one: &Value| arrival(number(one, "sequence")).map(|seen| seen - number(one, "at_us"));
        let latency = sorted(sent.iter().filter_map(took));
        ensure!(
            latency.len() == sent.len(),
            "{} of {} lone messages came",
            latency.len(),
            sent.len()
        );
        self.latency_p50.push(median(&latency));
        self.latency_p99.push(quantile(&latency, 0.99));
        self.stored_p50.push(median(&sorted(
            sent.iter().map(|one| number(one, "stored_us")),
        )));
        self.confirmed_p50.push(median(&sorted(
            sent.iter().map(|one| number(one, "confirmed_us")),
        )));
        Ok(())
    }

    pub(super) fn report(&self, suite: &str, report: &mut Report) {
        report.figure(&format!("{suite}.latency_p50"), "us", &self.latency_p50);
        report.figure(&format!("{suite}.latency_p99"), "us", &self.latency_p99);
        report.figure(&format!("{suite}.lone_stored_p50"), "us", &self.stored_p50);
        report.figure(
            &format!("{suite}.lone_confirmed_p50"),
            "us",
            &self.confirmed_p50,
        );
    }
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}
