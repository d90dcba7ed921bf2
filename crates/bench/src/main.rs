// SPDX-License-Identifier: MIT OR Apache-2.0
//! The bench: every figure Comptoir claims, as one JSON line each.
//!
//! `cargo run --release -p comptoir-bench -- SUITE --json`. What could not be had is null, with its reason.

mod child;
mod clock;
mod disk;
mod figure;
mod people;
mod suites;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::figure::Report;
use crate::suites::Terms;

/// Measures, and prints one line a figure.
#[derive(Debug, Parser)]
#[command(name = "comptoir-bench", version)]
struct Arguments {
    #[command(flatten)]
    asked: Asked,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Args)]
struct Asked {
    /// One JSON object a line.
    #[arg(long, global = true)]
    json: bool,
    /// How often each figure is taken; its value is the median.
    #[arg(long, global = true, default_value_t = 3)]
    runs: usize,
    /// Messages of one run.
    #[arg(long, global = true, default_value_t = 50_000)]
    messages: u64,
    /// Waits a minute where a figure asks for ten; its name then ends in _short. Tries a tenth of the kills and cuts.
    #[arg(long, global = true)]
    short: bool,
    /// Where homes are made: a folder on a disk. If left unset: beside this program.
    #[arg(long, global = true)]
    folder: Option<PathBuf>,
}

/// A suite, or what a process of the bench's own is started for.
#[derive(Debug, Subcommand)]
enum What {
    /// Two nodes that talk directly.
    Delivery,
    /// Two nodes that talk through a relay, and the relay alone.
    Mailbox,
    /// 200,000 messages in a store.
    Store,
    /// What one message costs in cryptography.
    Crypto,
    /// A node with contacts, relays and a peer, and nothing to do.
    Idle,
    /// Processes killed at random.
    Kill(Tries),
    /// Disks cut off at random.
    Powercut(Tries),
    /// The simulator over its seeds.
    Sim {
        /// The first seed of each scenario.
        #[arg(long, default_value_t = 1)]
        from: u64,
        /// How many of each.
        #[arg(long, default_value_t = 1_000)]
        count: u64,
    },
    /// 10,000 threads.
    Scale,
    /// A node that does what its stdin says.
    #[command(hide = true)]
    Person {
        /// Its home.
        home: PathBuf,
        /// Its name.
        name: String,
        /// Its port on loopback. If left unset: it listens nowhere.
        #[arg(long)]
        port: Option<u16>,
    },
    /// A relay, until its stdin ends.
    #[command(hide = true)]
    Relay {
        /// Its home.
        home: PathBuf,
    },
    /// The one talk in a home, copied.
    #[command(hide = true)]
    Copies {
        /// The home.
        home: PathBuf,
        /// How many there shall be.
        talks: u32,
    },
    /// Opens a store once.
    #[command(hide = true)]
    Reader {
        /// The home it is in.
        home: PathBuf,
    },
    /// The transport alone, until its stdin ends.
    #[command(hide = true)]
    Probe,
}

/// Which tries: a long run can be had in pieces.
#[derive(Debug, Args)]
struct Tries {
    /// The first.
    #[arg(long, default_value_t = 0)]
    from: u32,
    /// How many. If left unset: 200 kills, 60 cuts; a tenth of them with --short.
    #[arg(long)]
    count: Option<u32>,
}

fn main() -> ExitCode {
    let Arguments { asked, what } = Arguments::parse();
    match run(asked, what) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("comptoir-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(asked: Asked, what: What) -> anyhow::Result<()> {
    let measure: fn(&Terms, &mut Report) -> anyhow::Result<()> = match what {
        What::Person { home, name, port } => return child::person::run(home, &name, port),
        What::Relay { home } => return child::relay::run(home),
        What::Copies { home, talks } => return child::copies::run(&home, talks),
        What::Reader { home } => return child::reader::run(&home),
        What::Probe => return child::probe::run(),
        What::Sim { from, count } => {
            suites::sim::measure(from, count, &mut Report::new(asked.json));
            return Ok(());
        }
        What::Delivery => suites::delivery::measure,
        What::Mailbox => suites::mailbox::measure,
        What::Store => suites::store::measure,
        What::Crypto => suites::crypto::measure,
        What::Idle => suites::idle::measure,
        What::Kill(tries) => {
            return suites::faults::kill(&tries, asked.short, &mut Report::new(asked.json));
        }
        What::Powercut(tries) => {
            return suites::faults::powercut(&tries, asked.short, &mut Report::new(asked.json));
        }
        What::Scale => suites::scale::measure,
    };
    let Asked {
        json,
        runs,
        messages,
        short,
        folder,
    } = asked;
    let terms = Terms {
        folder: disk::folder(folder)?,
        runs: runs.max(1),
        messages: messages.max(1),
        short,
    };
    let mut report = Report::new(json);
    let before = clock::load();
    measure(&terms, &mut report)?;
    // What else ran meanwhile: figures of a busy machine are no worse, but other ones.
    report.figure("machine.load", "processes", &[before, clock::load()]);
    Ok(())
}
