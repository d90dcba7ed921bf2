// SPDX-License-Identifier: MIT OR Apache-2.0
//! Commands on the store itself, while the daemon is down.

use comptoir_store::OpenOptions;

use super::args::{self, Engine};
use super::init::kind;
use super::output::Output;
use super::{Failure, secret};
use crate::home::Home;

/// Rewrites the store for the other engine. The old one stays until the new one is whole and synced.
pub(crate) fn convert(
    output: Output,
    home: &Home,
    to: Engine,
    unlock: &args::Unlock,
) -> Result<(), Failure> {
    let unlock = secret::for_existing(home, unlock)?;
    let done = comptoir_store::convert(
        &home.store(),
        &unlock.access(),
        kind(to),
        &OpenOptions::default(),
    );
    let done = done.map_err(|error| Failure::general(error.to_string()))?;
    let what = serde_json::json!({ "rows": done.rows, "bytes_before": done.bytes_before, "bytes_after": done.bytes_after });
    output.data(&what, || {
        format!(
            "{} rows, {} bytes before, {} now",
            done.rows, done.bytes_before, done.bytes_after
        )
    });
    Ok(())
}
