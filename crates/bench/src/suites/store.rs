// SPDX-License-Identifier: MIT OR Apache-2.0
//! The store: 200,000 messages on the engine that `init` chooses, opened by a fresh process, after a kill and after a close.

use anyhow::{Context as _, ensure};
use serde_json::json;

use super::{MIB, Terms, copy_folder, limits, number};
use crate::figure::{Report, median, quantile};
use crate::people::{Pair, Process, Way};

/// Talks in the store, and messages of each: one to a row, as when people talk.
const TALKS: u32 = 500;
const MESSAGES: u64 = 400;
const _: () = assert!(TALKS as u64 * MESSAGES == 200_000);

pub(crate) fn measure(terms: &Terms, report: &mut Report) -> anyhow::Result<()> {
    limits::disk(terms, report)?;
    let folder = terms.fresh()?;
    let mut pair = Pair::meet(folder.path(), Way::Direct)?;
    pair.alice
        .ask(&json!({ "do": "lone", "tag": "talk", "messages": MESSAGES }))?;
    std::thread::sleep(super::delivery::SETTLED);
    pair.finish()?;
    let home = folder.path().join("alice");
    let path = home.to_str().context("a path in UTF-8")?.to_owned();
    let (copies, _) = Process::start(&["copies", &path, &TALKS.to_string()])?;
    copies.kill()?;
    let mut taken = Taken::default();
    for run in 0..terms.runs {
        // What was killed can be opened once: the next run opens another copy of it.
        let killed = folder.path().join(format!("killed-{run}"));
        copy_folder(&home, &killed)?;
        taken.opened(&killed, true)?;
        taken.opened(&killed, false)?;
        std::fs::remove_dir_all(&killed)?;
    }
    report.figure("store.open_200k", "ms", &taken.killed);
    report.figure("store.open_200k_closed", "ms", &taken.closed);
    report.figure("store.newest50_p50", "us", &taken.page_p50);
    report.figure("store.newest50_p99", "us", &taken.page_p99);
    report.figure("store.disk_200k", "MiB", &taken.disk);
    report.figure("store.rss_200k", "MiB", &taken.rss);
    Ok(())
}

#[derive(Default)]
struct Taken {
    killed: Vec<f64>,
    closed: Vec<f64>,
    page_p50: Vec<f64>,
    page_p99: Vec<f64>,
    disk: Vec<f64>,
    rss: Vec<f64>,
}

impl Taken {
    fn opened(&mut self, home: &std::path::Path, killed: bool) -> anyhow::Result<()> {
        let (process, told) =
            Process::start(&["reader", home.to_str().context("a path in UTF-8")?])?;
        process.finish()?;
        ensure!(
            number(&told, "batches") >= f64::from(TALKS) * MESSAGES as f64,
            "the store holds less than it should: {}",
            told["batches"]
        );
        let open = number(&told, "open_us") / 1e3;
        if !killed {
            self.closed.push(open);
            return Ok(());
        }
        let pages = told["pages_us"].as_array().cloned().unwrap_or_default();
        let mut pages: Vec<f64> = pages.iter().filter_map(serde_json::Value::as_f64).collect();
        pages.sort_by(f64::total_cmp);
        self.killed.push(open);
        self.page_p50.push(median(&pages));
        self.page_p99.push(quantile(&pages, 0.99));
        self.disk.push(number(&told, "disk_bytes") / MIB);
        self.rss.push(number(&told, "rss_bytes") / MIB);
        Ok(())
    }
}
