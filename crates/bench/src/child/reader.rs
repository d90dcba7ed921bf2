// SPDX-License-Identifier: MIT OR Apache-2.0
//! The reader: a fresh process that opens a store once, reads pages of its threads, and ends.

use std::path::Path;
use std::time::Instant;

use anyhow::ensure;
use comptoir::Home;
use comptoir_engine::{Scan, View as _, query, rows::key};
use serde_json::json;

use crate::clock;
use crate::suites::open_store;

/// Messages of a page, as an app opens a thread.
const PAGE: usize = 50;
/// Threads that are opened, each for the first time in this process.
const THREADS: usize = 200;

pub(crate) fn run(home: &Path) -> anyhow::Result<()> {
    let folder = Home::new(home.to_path_buf()).store();
    let start = Instant::now();
    let store = open_store(&folder)?;
    let opened = start.elapsed();
    let core = store.core();
    let view = core.committed();
    let threads: Vec<u32> = query::threads(&view, 1)?
        .into_iter()
        .map(|thread| thread.thread)
        .collect();
    ensure!(!threads.is_empty(), "the store holds no thread");
    let mut pages = Vec::new();
    // Far from each other, so that a page of one brings no other along.
    for thread in threads.iter().step_by((threads.len() / THREADS).max(1)) {
        let start = Instant::now();
        let page = query::history(&view, *thread, query::From::Newest, PAGE)?.unwrap_or_default();
        pages.push(start.elapsed().as_secs_f64() * 1e6);
        ensure!(
            page.items.len() == PAGE,
            "a thread holds fewer than {PAGE} messages"
        );
    }
    let rows = view.scan(Scan::all(vec![key::SEQUENCE]))?.len();
    let stats = core.stats()?;
    super::say(&json!({
        "open_us": opened.as_secs_f64() * 1e6, "pages_us": pages, "batches": rows,
        "disk_bytes": stats.disk_bytes, "engine": stats.engine.name(), "rss_bytes": clock::rss_bytes(),
    }));
    Ok(())
}
