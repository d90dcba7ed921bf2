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
    flags: Vec<String>,
}

impl Relay {
    /// Starts an open relay below `world`.
    pub fn open(world: &Path, name: &str) -> Self {
        Self::with(world, name, &["--open"])
    }

    /// Starts a relay that opens boxes for tickets only.
    pub fn closed(world: &Path, name: &str) -> Self {
        Self::with(world, name, &[])
    }

    /// Starts an open relay whose links name another address than its own.
    pub fn announcing(world: &Path, name: &str, address: &str) -> Self {
        Self::with(world, name, &["--open", "--announce", address])
    }

    fn with(world: &Path, name: &str, flags: &[&str]) -> Self {
        let mut relay = Self {
            home: world.join(name),
            address: None,
            process: None,
            link: String::new(),
            flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
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
        command
            .arg("--home")
            .arg(&self.home)
            .args(["--json", "relay", "run", "--exit-with-stdin"]);
        command.args(["--listen", &address]).args(&self.flags);
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

    /// A link with a ticket for so many boxes.
    pub fn ticket(&self, boxes: u32) -> String {
        let output = Command::new(binary())
            .arg("--home")
            .arg(&self.home)
            .args(["--json", "relay", "ticket", "--boxes", &boxes.to_string()])
            .output()
            .expect("the binary starts");
        let made: Value = serde_json::from_slice(&output.stdout).expect("--json prints JSON");
        made["link"]
            .as_str()
            .expect("a ticket is a link")
            .to_owned()
    }

    /// Where it listens, as a multiaddr.
    pub fn address(&self) -> &str {
        self.address.as_deref().expect("the relay has started")
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.as_ref().expect("the relay runs").id()
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
