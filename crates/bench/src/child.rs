// SPDX-License-Identifier: MIT OR Apache-2.0
//! The child: this program started again, for what needs a process of its own. It ends when its stdin does.

pub(crate) mod copies;
pub(crate) mod person;
pub(crate) mod probe;
pub(crate) mod reader;
pub(crate) mod relay;

use std::io::Read as _;

use serde_json::Value;

/// The runtime every child lives in: as many threads as this class of machine has cores.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
}

/// Says something to the parent.
fn say(line: &Value) {
    println!("{line}");
}

/// Waits until the parent closes stdin, or is gone.
async fn stdin_ends() {
    let read = || std::io::stdin().read_to_end(&mut Vec::new());
    let _ = tokio::task::spawn_blocking(read).await;
}
