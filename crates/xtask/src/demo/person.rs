// SPDX-License-Identifier: MIT OR Apache-2.0
//! The person: somebody with a home, a node that can be killed, and the command line.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value;

use super::ask;
use super::relay::{Daemon, free_port};
use crate::guard::Guard;

/// How long what needs both sides may take. A node away for the whole file catches up in a few seconds.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);

/// Somebody in the demo.
pub(super) struct Person<'a> {
    name: &'static str,
    program: PathBuf,
    home: PathBuf,
    log: PathBuf,
    port: u16,
    pub(super) guard: &'a Guard,
    daemon: Option<Daemon<'a>>,
}

/// How messages went, as the sender's node counts them.
pub(super) struct Counts {
    pub(super) direct: u64,
    pub(super) twice: u64,
    relays: Vec<(String, u64)>,
}

impl Counts {
    pub(super) fn through(&self, relay: &str) -> u64 {
        self.relays
            .iter()
            .filter(|(key, _)| key == relay)
            .map(|(_, sent)| sent)
            .sum()
    }
}

impl<'a> Person<'a> {
    /// Makes a home. The phrase goes to a file, the key of the store to another: nobody sits at this terminal.
    pub(super) fn new(
        guard: &'a Guard,
        program: &Path,
        world: &Path,
        name: &'static str,
    ) -> anyhow::Result<Self> {
        let person = Self {
            name,
            program: program.to_path_buf(),
            home: world.join(name),
            log: world.join(format!("{name}.stderr")),
            port: free_port()?,
            guard,
            daemon: None,
        };
        let phrase = world.join(format!("{name}.phrase"));
        ask(person
            .command(&["init", "--name", name, "--no-passphrase", "--phrase-file"])
            .arg(phrase))?;
        Ok(person)
    }

    pub(super) fn name(&self) -> &str {
        self.name
    }

    /// What to type to act as this person.
    pub(super) fn command_line(&self) -> String {
        format!("{} --home {}", self.program.display(), self.home.display())
    }

    /// A command of this person, answered in JSON.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg("--home")
            .arg(&self.home)
            .arg("--json")
            .args(arguments)
            .stdin(Stdio::null());
        command
    }

    /// Starts the node, at the address it had before.
    pub(super) fn comes_up(&mut self) -> anyhow::Result<()> {
        let tcp = format!("/ip4/127.0.0.1/tcp/{}", self.port);
        let mut command = self.command(&["up", "--exit-with-stdin", "--listen", &tcp]);
        self.daemon = Some(Daemon::start(self.guard, &mut command, &self.log)?.0);
        Ok(())
    }

    /// `kill -9`.
    pub(super) fn is_killed(&mut self) -> anyhow::Result<()> {
        println!("{}'s node is killed", self.name);
        self.daemon.take().context("the node runs")?.kill()
    }

    /// An orderly end.
    pub(super) fn goes_down(&mut self) -> anyhow::Result<()> {
        self.daemon.take().context("the node runs")?.finish()
    }

    /// Adds a relay; its key in hex.
    pub(super) fn uses_relay(&self, link: &str) -> anyhow::Result<String> {
        let added = ask(&mut self.command(&["relay", "add", link]))?;
        text_at(&added, "key")
    }

    pub(super) fn invites(&self) -> anyhow::Result<String> {
        text_at(&ask(&mut self.command(&["invite"]))?, "link")
    }

    pub(super) fn follows(&self, link: &str) -> anyhow::Result<()> {
        ask(&mut self.command(&["add", link])).map(drop)
    }

    /// Waits for a request and accepts it.
    pub(super) fn accepts(&self) -> anyhow::Result<()> {
        let request = wait("a request", || {
            let requests = ask(&mut self.command(&["requests"]))?;
            Ok(requests
                .first()
                .and_then(|all| all[0]["id"].as_str())
                .map(str::to_owned))
        })?;
        ask(&mut self.command(&["accept", &request])).map(drop)
    }

    /// Waits until there is a thread with `who`.
    pub(super) fn can_write_to(&self, who: &str) -> anyhow::Result<()> {
        wait(
            &format!("{} to have a thread with {who}", self.name),
            || {
                let contacts = ask(&mut self.command(&["contacts"]))?;
                let found = contacts
                    .first()
                    .and_then(Value::as_array)
                    .and_then(|all| all.iter().find(|contact| contact["name"] == who));
                Ok(found
                    .and_then(|contact| contact["thread"].as_str())
                    .map(drop))
            },
        )
    }

    /// Waits until the conversation holds `count` messages.
    pub(super) fn has_received(&self, who: &str, count: usize) -> anyhow::Result<()> {
        let started = Instant::now();
        let mut last = 0;
        wait(&format!("{} to have {count} messages", self.name), || {
            last = self.history(who)?.len();
            Ok((last >= count).then_some(()))
        })
        .with_context(|| format!("{} has {last} of {count} messages", self.name))?;
        println!(
            "{} has {count} messages, {:.1} s later",
            self.name,
            started.elapsed().as_secs_f64()
        );
        Ok(())
    }

    /// The texts of a conversation in its order.
    pub(super) fn history(&self, who: &str) -> anyhow::Result<Vec<String>> {
        let messages = ask(&mut self.command(&["history", who]))?;
        messages
            .iter()
            .map(|message| {
                message["text"]
                    .as_str()
                    .map(str::to_owned)
                    .context("a message without text")
            })
            .collect()
    }

    /// How messages went, by `status`.
    pub(super) fn counts(&self) -> anyhow::Result<Counts> {
        let status = ask(&mut self.command(&["status"]))?;
        let counts = &status.first().context("status printed nothing")?["counts"];
        let number = |name: &str| {
            counts[name]
                .as_u64()
                .with_context(|| format!("status has no counts.{name}"))
        };
        let relays = counts["relays"]
            .as_array()
            .context("status has no counts.relays")?;
        Ok(Counts {
            direct: number("sent_direct")?,
            twice: number("sent_twice")?,
            relays: relays
                .iter()
                .filter_map(|relay| {
                    Some((relay["relay"].as_str()?.to_owned(), relay["sent"].as_u64()?))
                })
                .collect(),
        })
    }
}

fn text_at(answer: &[Value], field: &str) -> anyhow::Result<String> {
    let text = answer.first().and_then(|first| first[field].as_str());
    Ok(text
        .with_context(|| format!("the answer has no `{field}`"))?
        .to_owned())
}

/// Asks again until there is an answer.
pub(super) fn wait<T>(
    what: &str,
    mut ask: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if started.elapsed() > PATIENCE {
            bail!("waited {} s for {what}", PATIENCE.as_secs());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
