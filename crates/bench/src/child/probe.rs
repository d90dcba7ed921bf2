// SPDX-License-Identifier: MIT OR Apache-2.0
//! The other end of the transport's own figures.

use comptoir_net::limits_probe::{ProbeServer, ProbeTransport};
use serde_json::json;

pub(crate) fn run() -> anyhow::Result<()> {
    super::runtime()?.block_on(async {
        let server = ProbeServer::start(ProbeTransport::Tcp).await?;
        super::say(&json!({ "target": server.target().to_string() }));
        super::stdin_ends().await;
        Ok(())
    })
}
