// SPDX-License-Identifier: MIT OR Apache-2.0
//! Steps: commands run one after another, shown as they run, timed and counted, under one time limit.

use std::io::{BufRead, BufReader};
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::{guard, workspace};

/// Tests counted in what a step printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

struct Outcome {
    name: String,
    seconds: f64,
    passed: bool,
    tally: Tally,
}

/// Runs steps and remembers how each ended.
pub(crate) struct Steps {
    guard: guard::Guard,
    started: Instant,
    limit: Option<Duration>,
    outcomes: Vec<Outcome>,
    not_run: Vec<String>,
}

impl Steps {
    /// `limit`: what is still running then is killed, and the run has failed.
    pub(crate) fn new(limit: Option<Duration>) -> anyhow::Result<Self> {
        Ok(Self {
            guard: guard::Guard::start()?,
            started: Instant::now(),
            limit,
            outcomes: Vec::new(),
            not_run: Vec::new(),
        })
    }

    /// Runs a command in the root folder. A step with test results counts them; any other counts as one.
    pub(crate) fn run(&mut self, name: &str, command: &mut Command) -> anyhow::Result<bool> {
        let started = self.announce(name);
        let (passed, tally) = self.watch(command)?;
        Ok(self.close(name, started, passed, tally))
    }

    /// Runs a part of xtask itself as a step.
    pub(crate) fn call(&mut self, name: &str, part: impl FnOnce() -> anyhow::Result<bool>) -> bool {
        let started = self.announce(name);
        let passed = part().unwrap_or_else(|error| {
            println!("{name}: {error:#}");
            false
        });
        self.close(name, started, passed, Tally::default())
    }

    /// Notes what cannot run here; the whole has then not passed.
    pub(crate) fn not_run(&mut self, name: &str, why: &str) {
        self.not_run.push(format!("not run: {name} ({why})"));
    }

    fn announce(&self, name: &str) -> Instant {
        println!(
            "\n== {name} (at {:.0} s)",
            self.started.elapsed().as_secs_f64()
        );
        Instant::now()
    }

    fn close(&mut self, name: &str, started: Instant, passed: bool, mut tally: Tally) -> bool {
        if tally == Tally::default() {
            tally.passed = u64::from(passed);
        }
        if !passed && tally.failed == 0 {
            tally.failed = 1;
        }
        let seconds = started.elapsed().as_secs_f64();
        println!(
            "== {name}: {} in {seconds:.1} s",
            if passed { "passed" } else { "FAILED" }
        );
        self.outcomes.push(Outcome {
            name: name.to_owned(),
            seconds,
            passed,
            tally,
        });
        passed
    }

    /// Shows each line the command prints, counts test results in it, and kills it when the time is up.
    fn watch(&mut self, command: &mut Command) -> anyhow::Result<(bool, Tally)> {
        let left = self
            .limit
            .map(|limit| limit.saturating_sub(self.started.elapsed()));
        if left == Some(Duration::ZERO) {
            println!("no time left");
            return Ok((false, Tally::default()));
        }
        command
            .current_dir(workspace::root())
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut child = self.guard.spawn(command)?;
        let leader = child.id();
        let (ended, end) = mpsc::channel::<()>();
        let watchman = std::thread::spawn(move || match left {
            Some(left) if end.recv_timeout(left) == Err(mpsc::RecvTimeoutError::Timeout) => {
                println!("time is up: killed");
                guard::kill_group(leader);
            }
            _ => {}
        });
        let mut tally = Tally::default();
        let output = child.stdout.take().context("a child without its output")?;
        for line in BufReader::new(output).split(b'\n') {
            let line = line.context("could not read a child's output")?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            tally.add(&line);
        }
        let status = self.guard.wait(&mut child)?;
        drop(ended);
        // The watchman cannot panic: it only waits and kills.
        let _joined = watchman.join();
        Ok((status.success(), tally))
    }

    /// Prints seconds per step, what was not run, the total, and last the line that others read.
    pub(crate) fn finish(self) -> ExitCode {
        println!();
        let mut total = Tally::default();
        let mut passed = self.not_run.is_empty();
        for outcome in &self.outcomes {
            let word = if outcome.passed { "" } else { "  FAILED" };
            println!("{:>8.1} s  {}{word}", outcome.seconds, outcome.name);
            total.passed += outcome.tally.passed;
            total.failed += outcome.tally.failed;
            passed &= outcome.passed;
        }
        let elapsed = self.started.elapsed();
        println!("{:>8.1} s  total", elapsed.as_secs_f64());
        if let Some(limit) = self.limit.filter(|limit| elapsed > *limit) {
            println!("took longer than {} minutes", limit.as_secs() / 60);
            total.failed += 1;
            passed = false;
        }
        for line in &self.not_run {
            println!("{line}");
        }
        println!("{} passed, {} failed", total.passed, total.failed);
        if passed {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

impl Tally {
    /// Adds the numbers of a line like `test result: ok. 12 passed; 0 failed; 1 ignored; …`.
    fn add(&mut self, line: &str) {
        let Some((_, counts)) = line.split_once("test result: ") else {
            return;
        };
        let count = |word: &str| -> u64 {
            counts
                .split(['.', ';'])
                .filter_map(|part| part.trim().strip_suffix(word))
                .find_map(|number| number.trim().parse().ok())
                .unwrap_or(0)
        };
        self.passed += count("passed");
        self.failed += count("failed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_counted_over_many_lines() {
        let mut tally = Tally::default();
        tally.add("test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s");
        tally.add("test a::b ... ok");
        tally.add("test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured");
        assert_eq!(
            tally,
            Tally {
                passed: 15,
                failed: 2
            }
        );
    }

    #[test]
    fn a_step_past_the_limit_is_killed_with_its_children() {
        let mut steps = Steps::new(Some(Duration::from_millis(300))).unwrap();
        let started = Instant::now();
        let passed = steps
            .run("sleep", Command::new("sh").args(["-c", "sleep 60 & wait"]))
            .unwrap();
        assert!(!passed);
        assert!(started.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn a_failed_step_and_a_step_not_run_fail_the_whole() {
        let mut steps = Steps::new(None).unwrap();
        assert!(steps.run("true", &mut Command::new("true")).unwrap());
        steps.not_run("powercut", "strace is missing");
        assert_eq!(
            format!("{:?}", steps.finish()),
            format!("{:?}", ExitCode::FAILURE)
        );
    }
}
