// SPDX-License-Identifier: MIT OR Apache-2.0
//! The flow: lines on their way into `comptoir send WHO - --lines`, let through as far as the story says.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::time::Instant;

use anyhow::{Context, bail, ensure};

use super::person::{PATIENCE, Person};
use crate::guard::Guard;

/// A running `send --lines`.
pub(super) struct Flow<'a> {
    child: Child,
    guard: &'a Guard,
    /// How many lines may be written; closed when all were.
    goal: Option<mpsc::Sender<usize>>,
    /// One unit for each line the command reported as accepted by the node, that is, as on disk.
    sent: mpsc::Receiver<()>,
    count: usize,
}

impl<'a> Flow<'a> {
    pub(super) fn start(from: &Person<'a>, to: &str, lines: &[String]) -> anyhow::Result<Self> {
        let mut command = from.command(&["send", to, "-", "--lines"]);
        let mut child = from
            .guard
            .spawn(command.stdin(Stdio::piped()).stdout(Stdio::piped()))?;
        let mut input = child.stdin.take().context("a child without its input")?;
        let output = child.stdout.take().context("a child without its output")?;
        let (goal, goals) = mpsc::channel::<usize>();
        let lines = lines.to_vec();
        std::thread::spawn(move || {
            let mut written = 0;
            for goal in goals {
                for line in &lines[written..goal] {
                    if writeln!(input, "{line}").is_err() {
                        // The command has ended; who waits for its count says so.
                        return;
                    }
                }
                written = goal;
            }
        });
        let (report, sent) = mpsc::channel();
        std::thread::spawn(move || {
            for _line in BufReader::new(output).lines().map_while(Result::ok) {
                if report.send(()).is_err() {
                    return;
                }
            }
        });
        Ok(Self {
            child,
            guard: from.guard,
            goal: Some(goal),
            sent,
            count: 0,
        })
    }

    /// Lets lines through up to `line`.
    pub(super) fn may_send(&self, line: usize) {
        if let Some(goal) = &self.goal {
            // It fails only when the command has ended, which `has_sent` reports.
            let _ended = goal.send(line);
        }
    }

    /// Waits until the node has taken lines up to `line`.
    pub(super) fn has_sent(&mut self, line: usize) -> anyhow::Result<()> {
        let started = Instant::now();
        while self.count < line {
            let left = PATIENCE.saturating_sub(started.elapsed());
            match self.sent.recv_timeout(left) {
                Ok(()) => self.count += 1,
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    bail!("`send` ended after {} lines", self.count)
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    bail!("`send` stands at line {} of {line}", self.count)
                }
            }
        }
        Ok(())
    }

    /// Closes the input and waits for the command to end.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        drop(self.goal.take());
        let status = self.guard.wait(&mut self.child)?;
        ensure!(status.success(), "`send` ended with {status}");
        Ok(())
    }
}
