// SPDX-License-Identifier: MIT OR Apache-2.0
//! The relay and the daemon: processes that say when they are ready and can be killed.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use crate::guard::Guard;

/// How long a process may take until it says that it is ready. Opening a store is a matter of a second.
const START_WAIT: Duration = Duration::from_secs(60);
/// How long an orderly end may take.
const END_WAIT: Duration = Duration::from_secs(30);

/// A process of the program that runs until its stdin closes.
pub(super) struct Daemon<'a> {
    child: Child,
    guard: &'a Guard,
}

impl<'a> Daemon<'a> {
    /// Starts it, waits for the first line it prints, and returns that as JSON. What it says goes to `log`.
    pub(super) fn start(
        guard: &'a Guard,
        command: &mut Command,
        log: &Path,
    ) -> anyhow::Result<(Self, Value)> {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(log)?;
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log);
        let mut child = guard.spawn(command)?;
        let output = child.stdout.take().context("a child without its output")?;
        let (say, said) = mpsc::channel();
        std::thread::spawn(move || {
            // Reads on after the first line, or a process that goes on printing would block.
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if say.send(line).is_err() {
                    // Nobody waits for further lines.
                }
            }
        });
        let daemon = Self { child, guard };
        match said.recv_timeout(START_WAIT) {
            Ok(line) => {
                let ready =
                    serde_json::from_str(&line).with_context(|| format!("not JSON: {line}"))?;
                Ok((daemon, ready))
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                bail!("the process ended before it was ready")
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {
                bail!("the process was not ready after {} s", START_WAIT.as_secs())
            }
        }
    }

    /// SIGKILL: nothing of the process runs any more when this returns.
    pub(super) fn kill(mut self) -> anyhow::Result<()> {
        self.child
            .kill()
            .context("could not kill a process of ours")?;
        self.guard.wait(&mut self.child).map(drop)
    }

    /// Closes its stdin and waits for an orderly end.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        drop(self.child.stdin.take());
        let started = Instant::now();
        while self.child.try_wait()?.is_none() {
            ensure!(
                started.elapsed() < END_WAIT,
                "a process did not end within {} s",
                END_WAIT.as_secs()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        let status = self.guard.wait(&mut self.child)?;
        ensure!(status.success(), "a process ended with {status}");
        Ok(())
    }
}

/// A relay of the demo.
pub(super) struct Relay<'a> {
    daemon: Option<Daemon<'a>>,
    link: String,
    key: String,
}

impl<'a> Relay<'a> {
    /// Starts an open relay on a free port.
    pub(super) fn start(guard: &'a Guard, program: &Path, home: &Path) -> anyhow::Result<Self> {
        let listen = format!("/ip4/127.0.0.1/tcp/{}", free_port()?);
        let mut command = Command::new(program);
        command.arg("--home").arg(home).args([
            "--json",
            "relay",
            "run",
            "--open",
            "--exit-with-stdin",
        ]);
        command.args(["--listen", &listen]);
        let (daemon, ready) = Daemon::start(guard, &mut command, &home.with_extension("stderr"))?;
        let link = ready["link"]
            .as_str()
            .context("a relay says its link")?
            .to_owned();
        Ok(Self {
            daemon: Some(daemon),
            link,
            key: String::new(),
        })
    }

    pub(super) fn link(&self) -> &str {
        &self.link
    }

    /// Remembers the key by which nodes count what went through it.
    pub(super) fn is_known_as(&mut self, key: String) {
        self.key = key;
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }

    pub(super) fn is_killed(&mut self) -> anyhow::Result<()> {
        println!("a relay is killed");
        self.daemon.take().context("the relay runs")?.kill()
    }

    pub(super) fn goes_down(&mut self) -> anyhow::Result<()> {
        self.daemon.take().context("the relay runs")?.finish()
    }
}

/// A port nobody listens on now. Whoever takes it before we do makes the start fail with a sentence, not in silence.
pub(super) fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("no free port on 127.0.0.1")?;
    Ok(listener.local_addr()?.port())
}
