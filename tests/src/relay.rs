// SPDX-License-Identifier: MIT OR Apache-2.0
//! The relay: a process of its own on loopback, that can be killed and started again with the same key.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::person::{Process, binary};

/// A relay in its home.
#[derive(Debug)]
pub struct Relay {
    home: PathBuf,
    address: Option<String>,
    process: Option<Process>,
    link: String,
}

impl Relay {
    /// Starts an open relay below `world`.
    pub fn open(world: &Path, name: &str) -> Self {
        let mut relay = Self {
            home: world.join(name),
            address: None,
            process: None,
            link: String::new(),
        };
        relay.starts();
        relay
    }

    /// Starts it, on the port it had before.
    pub fn starts(&mut self) {
        self.starts_under(Command::new(binary()));
    }

    /// The same, by a command that runs the binary under something: a tracer, say.
    pub fn starts_under(&mut self, mut command: Command) {
        let address = self
            .address
            .clone()
            .unwrap_or_else(|| "/ip4/127.0.0.1/tcp/0".to_owned());
        command.arg("--home").arg(&self.home).args([
            "--json",
            "relay",
            "run",
            "--open",
            "--exit-with-stdin",
        ]);
        command.args(["--listen", &address]);
        let (process, first) = Process::start(command);
        let ready: Value = serde_json::from_str(&first).expect("--json prints JSON");
        self.link = ready["link"]
            .as_str()
            .expect("a relay says its link")
            .to_owned();
        self.address = ready["listen"][0].as_str().map(str::to_owned);
        self.process = Some(process);
    }

    /// An orderly end; a relay under a tracer must end so, since killing the tracer lets it run on.
    pub fn goes_down(&mut self) {
        self.process.take().expect("the relay runs").finish();
    }

    /// The home.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The link that makes somebody use it.
    pub fn link(&self) -> &str {
        &self.link
    }

    /// `kill -9`.
    pub fn is_killed(&mut self) {
        self.process.take().expect("the relay runs").kill();
    }
}
