// SPDX-License-Identifier: MIT OR Apache-2.0
//! The relay as a process.

use std::path::PathBuf;

use comptoir::{Home, Relay, RelayOptions};
use serde_json::json;

pub(crate) fn run(home: PathBuf) -> anyhow::Result<()> {
    super::runtime()?.block_on(async {
        let home = Home::new(home);
        home.create()?;
        let listen = vec!["/ip4/127.0.0.1/tcp/0".to_owned()];
        let relay = Relay::start(
            home,
            RelayOptions {
                listen,
                announce: Vec::new(),
                open: true,
            },
        )
        .await?;
        super::say(&json!({ "link": relay.link() }));
        super::stdin_ends().await;
        relay.stop().await;
        Ok(())
    })
}
