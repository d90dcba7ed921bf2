// SPDX-License-Identifier: MIT OR Apache-2.0
//! Ctrl-C in the middle of the demo: afterwards nothing runs, nothing lies about.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use crate::guard::interrupt_signal;

/// The guard gives processes a second to leave by themselves; the rest is room for a busy machine.
const LEFT_WAIT: Duration = Duration::from_secs(10);

/// Starts the demo, interrupts it while lines are on their way, and looks what is left.
pub(crate) fn leaves_nothing() -> anyhow::Result<bool> {
    let mut demo = Command::new(std::env::current_exe()?)
        .arg("demo")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .context("could not start the demo")?;
    let output = demo.stdout.take().context("a child without its output")?;
    let mut home = None;
    let mut lines = BufReader::new(output).lines();
    let reached = loop {
        let Some(line) = lines.next() else {
            break false;
        };
        let line = line?;
        if let Some((_, path)) = line.split_once(" start in ") {
            home = Some(path.to_owned());
        }
        if line.contains("sends the file") {
            break true;
        }
    };
    // What it printed last may wait in its pipe: the reader stays until the process has ended.
    let interrupted = Command::new("kill")
        .args([interrupt_signal(), &demo.id().to_string()])
        .status()?;
    let ended = demo.wait()?;
    ensure!(reached, "the demo ended before it sent a line ({ended})");
    ensure!(interrupted.success(), "the demo could not be interrupted");
    let home = home.context("the demo did not say where its home is")?;
    let started = Instant::now();
    loop {
        let left = left_over(&home)?;
        if left.is_empty() {
            println!("interrupted: no process and no folder of {home} is left");
            return Ok(true);
        }
        if started.elapsed() > LEFT_WAIT {
            bail!("after Ctrl-C there is still: {}", left.join(", "));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Processes started with `home` in their arguments, and the folder itself.
fn left_over(home: &str) -> anyhow::Result<Vec<String>> {
    let mut left = Vec::new();
    if Path::new(home).exists() {
        left.push(home.to_owned());
    }
    for entry in std::fs::read_dir("/proc").context("/proc is needed to see what still runs")? {
        let path = entry?.path();
        // A process may end between the listing and the look, and a zombie has no arguments: neither runs.
        let arguments = std::fs::read(path.join("cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&arguments).contains(home) {
            left.push(path.display().to_string());
        }
    }
    Ok(left)
}
