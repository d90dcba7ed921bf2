// SPDX-License-Identifier: MIT OR Apache-2.0
//! Records: a store at work in a process of its own, killed, cut off, and asked what it still has.

use std::fmt;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::build::{build, programs};
use crate::powercut::{Cut, Moment, Trace, now, record};

/// How long a check may take before it counts as a store that does not open.
const CHECK_PATIENCE: Duration = Duration::from_secs(60);

/// The program `records` with one engine.
#[derive(Clone, Debug)]
pub struct Records {
    program: PathBuf,
    engine: &'static str,
    /// Which control a control build is to be; empty in an honest one.
    control: &'static str,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Everything acknowledged is there.
    Whole {
        /// The first record that is not there.
        next: u64,
    },
    /// Something acknowledged is missing, torn or wrong.
    Lost(String),
    /// The store does not open, or does not read.
    Unopened(String),
}

/// How many of each verdict, with the first of each bad one.
#[derive(Debug, Default)]
pub struct Tally {
    /// Everything acknowledged was there.
    pub whole: u32,
    /// Something acknowledged was not.
    pub lost: u32,
    /// The store did not open.
    pub unopened: u32,
    first: Vec<String>,
}

/// When which record was acknowledged, as seen by the parent: never before it was.
#[derive(Clone, Debug, Default)]
pub struct Acknowledged(Vec<(Moment, u64)>);

impl Records {
    /// The program with honest code.
    pub fn honest(engine: &'static str) -> Self {
        Self {
            program: programs().join("examples/records"),
            engine,
            control: "",
        }
    }

    /// A build of it whose code is broken on purpose: `broken-ack` acknowledges before it commits, `unguarded` is sled
    /// with a bare `flush()`. Built on first use.
    ///
    /// # Panics
    /// When it cannot be built.
    pub fn control(engine: &'static str, control: &'static str) -> Self {
        static BUILT: std::sync::Once = std::sync::Once::new();
        BUILT.call_once(|| {
            build(&[
                "--example",
                "records_control",
                "--features",
                "comptoir-store/control",
            ])
        });
        let program = Self::honest(engine)
            .program
            .with_file_name("records_control");
        Self {
            program,
            engine,
            control,
        }
    }

    fn append(&self, mut command: Command, folder: &Path, from: u64, count: u64) -> Running {
        command.arg("append").arg(folder).args([
            self.engine,
            &from.to_string(),
            &count.to_string(),
        ]);
        command.env("COMPTOIR_CONTROL", self.control);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("records starts");
        let (told, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().expect("stdout was piped"));
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if told.send((now(), line)).is_err() {
                    break;
                }
            }
        });
        Running { child, lines }
    }

    /// Starts appending records from `from` on, until it is killed.
    pub fn starts(&self, folder: &Path, from: u64) -> Running {
        self.append(Command::new(&self.program), folder, from, u64::MAX)
    }

    /// Appends `count` records to a new store under strace, to the end.
    pub fn recorded(&self, folder: &Path, output: &Path, count: u64) -> (Trace, Acknowledged) {
        let mut recording = record(folder, output, &self.program);
        let command = std::mem::replace(&mut recording.command, Command::new("true"));
        let mut running = self.append(command, folder, 0, count);
        let acknowledged = running.acknowledged();
        running.child.wait().expect("strace ends");
        (recording.finish(), acknowledged)
    }

    /// Opens the store in `folder` and looks for everything that was acknowledged.
    pub fn check(&self, folder: &Path, acknowledged: u64) -> Verdict {
        let mut command = Command::new("timeout");
        command
            .arg(CHECK_PATIENCE.as_secs().to_string())
            .arg(&self.program);
        command
            .arg("check")
            .arg(folder)
            .args([self.engine, &acknowledged.to_string()]);
        let output = command
            .env("COMPTOIR_CONTROL", self.control)
            .output()
            .expect("records starts");
        let text = String::from_utf8_lossy(&output.stdout);
        match text.trim().split_once(' ') {
            Some(("ok", next)) if output.status.success() => Verdict::Whole {
                next: next.parse().expect("records prints a number"),
            },
            Some(("lost", what)) => Verdict::Lost(what.to_owned()),
            // The watermark tells a loss before anything is read.
            Some(("unopened", what)) if what.contains("lost its last") => {
                Verdict::Lost(what.to_owned())
            }
            _ => Verdict::Unopened(format!(
                "{} {}",
                text.trim(),
                String::from_utf8_lossy(&output.stderr).trim()
            )),
        }
    }
}

/// A process that appends.
#[derive(Debug)]
pub struct Running {
    child: Child,
    lines: Receiver<(Moment, String)>,
}

impl Running {
    /// Waits until the store is open.
    pub fn opens(&self) {
        let (_, line) = self.lines.recv().expect("records says when it is open");
        assert_eq!(line, "open");
    }

    /// SIGKILL. Says what had been acknowledged.
    pub fn is_killed(mut self) -> Acknowledged {
        self.child.kill().expect("the process was ours to kill");
        self.child.wait().expect("a killed process ends");
        self.acknowledged()
    }

    /// Everything said until stdout closes.
    fn acknowledged(&mut self) -> Acknowledged {
        let said = self.lines.iter();
        let numbers =
            said.filter_map(|(at, line)| Some((at, line.strip_prefix("durable ")?.parse().ok()?)));
        Acknowledged(numbers.collect())
    }
}

impl Acknowledged {
    /// How many records had been acknowledged at that moment.
    pub fn at(&self, moment: Moment) -> u64 {
        self.0
            .iter()
            .filter(|(at, _)| *at <= moment)
            .map(|(_, number)| *number)
            .max()
            .unwrap_or(0)
    }

    /// How many in the end.
    pub fn all(&self) -> u64 {
        self.at(Moment::MAX)
    }

    /// How often something was acknowledged.
    pub fn times(&self) -> usize {
        self.0.len()
    }
}

impl Tally {
    /// Counts one.
    pub fn add(&mut self, verdict: Verdict) {
        let what = match verdict {
            Verdict::Whole { .. } => {
                self.whole += 1;
                return;
            }
            Verdict::Lost(what) => {
                self.lost += 1;
                format!("lost: {what}")
            }
            Verdict::Unopened(what) => {
                self.unopened += 1;
                format!("unopened: {what}")
            }
        };
        if self.first.len() < 3 {
            self.first.push(what);
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            whole,
            lost,
            unopened,
            first,
        } = self;
        write!(formatter, "{whole} whole, {lost} lost, {unopened} unopened")?;
        first
            .iter()
            .try_for_each(|what| write!(formatter, "\n  {what}"))
    }
}

/// Cuts the power of a recorded store once for each number, and looks each time for what was acknowledged by then.
pub fn cut_power(
    records: &Records,
    folder: &Path,
    (trace, acknowledged): &(Trace, Acknowledged),
    cuts: std::ops::Range<u32>,
    kept_of_256: u8,
) -> Tally {
    let mut tally = Tally::default();
    for cut in cuts {
        // Half of them right after an acknowledgement, when the least has been synced since; half at any moment.
        let seed = u64::from(cut) * 7919 + u64::from(kept_of_256);
        let at = match acknowledged
            .0
            .get(seed as usize * 31 % acknowledged.times().max(1))
        {
            Some((at, _)) if cut % 2 == 0 => *at,
            _ => trace.moment(cut),
        };
        let image = tempfile::tempdir().expect("a folder for the image");
        let home = image.path().join("store");
        trace.image(
            folder,
            &home,
            Cut {
                at,
                kept_of_256,
                seed,
            },
        );
        tally.add(records.check(&home, acknowledged.at(at)));
    }
    tally
}
