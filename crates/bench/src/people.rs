// SPDX-License-Identifier: MIT OR Apache-2.0
//! The people of a suite: processes of this program, and how the parent talks to them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

/// A process of this program's own; its stdin holds it up.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Process {
    /// Starts one and returns what it said first.
    pub(crate) fn start(arguments: &[&str]) -> anyhow::Result<(Self, Value)> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().context("stdout was piped")?);
        let mut process = Self {
            child,
            stdin,
            stdout,
        };
        let first = process.read()?;
        Ok((process, first))
    }

    /// Asks and waits for the answer.
    pub(crate) fn ask(&mut self, question: &Value) -> anyhow::Result<Value> {
        let stdin = self.stdin.as_mut().context("the process has not ended")?;
        writeln!(stdin, "{question}")?;
        stdin.flush()?;
        self.read()
    }

    /// Closes its stdin and waits for an orderly end.
    pub(crate) fn finish(mut self) -> anyhow::Result<()> {
        self.stdin = None;
        let status = self.child.wait()?;
        ensure!(
            status.success(),
            "a process of the bench ended with {status}"
        );
        Ok(())
    }

    /// Ends it as a power button would.
    pub(crate) fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    fn read(&mut self) -> anyhow::Result<Value> {
        let mut line = String::new();
        let read = self.stdout.read_line(&mut line)?;
        ensure!(read > 0, "a process of the bench ended; it said above why");
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stdin = None;
        // It has ended already where this fails.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Two people who are contacts; Alice asked, Bob accepted.
pub(crate) struct Pair {
    pub(crate) alice: Process,
    pub(crate) bob: Process,
    ports: [Option<u16>; 2],
}

/// How a pair meets.
#[derive(Clone, Copy)]
pub(crate) enum Way<'w> {
    /// Over loopback.
    Direct,
    /// Nobody can dial anybody: through this relay.
    Relay(&'w str),
}

impl Pair {
    /// Starts both in fresh homes below `folder` and makes them contacts.
    pub(crate) fn meet(folder: &Path, way: Way<'_>) -> anyhow::Result<Self> {
        let ports = match way {
            Way::Direct => [Some(free_port()?), Some(free_port()?)],
            Way::Relay(_) => [None, None],
        };
        let (mut alice, mut bob) = (
            person(folder, "alice", ports[0])?.0,
            person(folder, "bob", ports[1])?.0,
        );
        if let Way::Relay(link) = way {
            for one in [&mut alice, &mut bob] {
                one.ask(&json!({ "do": "use-relay", "link": link }))?;
            }
        }
        introduce(&mut alice, &mut bob, way)?;
        Ok(Self { alice, bob, ports })
    }

    /// Starts both again in the homes they have, on the ports the other side knows; whoever will be dialed is up first.
    pub(crate) fn again(self, folder: &Path) -> anyhow::Result<Self> {
        let ports = self.ports;
        self.finish()?;
        let bob = person(folder, "bob", ports[1])?.0;
        let alice = person(folder, "alice", ports[0])?.0;
        Ok(Self { alice, bob, ports })
    }

    /// Where they listen.
    pub(crate) fn ports(&self) -> [Option<u16>; 2] {
        self.ports
    }

    pub(crate) fn finish(self) -> anyhow::Result<()> {
        self.alice.finish()?;
        self.bob.finish()
    }
}

/// Makes two people contacts: `asker` follows an invite of `owner`, who accepts.
pub(crate) fn introduce(
    asker: &mut Process,
    owner: &mut Process,
    way: Way<'_>,
) -> anyhow::Result<()> {
    let link = invite(owner, way)?;
    asker.ask(&json!({ "do": "add", "link": link }))?;
    owner.ask(&json!({ "do": "accept" }))?;
    asker.ask(&json!({ "do": "thread" }))?;
    owner.ask(&json!({ "do": "thread" }))?;
    Ok(())
}

/// An invite that works: through a relay only once the relay has a front door for it.
fn invite(bob: &mut Process, way: Way<'_>) -> anyhow::Result<String> {
    if matches!(way, Way::Relay(_)) {
        // The door is opened by a call of its own; the invite names it only once it is.
        std::thread::sleep(std::time::Duration::from_secs(2));
    }
    let answer = bob.ask(&json!({ "do": "invite" }))?;
    Ok(answer["link"]
        .as_str()
        .context("an invite is a link")?
        .to_owned())
}

/// A port nobody listens on now.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?
        .local_addr()?
        .port())
}

/// Starts a person in its home below `folder`, made if it is not there; with what it said of its start.
pub(crate) fn person(
    folder: &Path,
    name: &str,
    port: Option<u16>,
) -> anyhow::Result<(Process, Value)> {
    let home = folder.join(name);
    let home = home.to_str().context("a path in UTF-8")?;
    let port = port.map(|port| port.to_string());
    let mut arguments = vec!["person", home, name];
    if let Some(port) = &port {
        arguments.extend(["--port", port]);
    }
    Process::start(&arguments)
}
