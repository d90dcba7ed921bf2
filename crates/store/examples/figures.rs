// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a store costs: `cargo run --release -p comptoir-store --example figures -- FOLDER`, which must lie on a disk.
//!
//! One JSON line a figure, for both engines: 200,000 messages of 200 bytes, in runs of 16 to a row as when they arrive
//! fast, and one to a row as when people talk; each with the index rows and counters of its step.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use comptoir_engine::{Scan, Scope, View, Write};
use comptoir_store::{Access, EngineKind, OpenOptions, Store, Writer};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const MESSAGES: u64 = 200_000;
const THREADS: u64 = 50;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [folder] => EngineKind::ON_DISK
            .into_iter()
            .try_for_each(|engine| measure(Path::new(folder), engine)),
        // The other processes of the run: one that is killed in the middle of its work, and one that opens.
        ["fill", folder, engine, run] => fill(Path::new(folder), engine.parse()?, run.parse()?),
        ["open", folder, engine, state] => reopen(Path::new(folder), engine.parse()?, state),
        _ => Err("usage: figures FOLDER".into()),
    }
}

fn measure(folder: &Path, engine: EngineKind) -> Outcome<()> {
    let folder = folder.join(format!("figures-{engine}"));
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    lone_commits(&folder.join("lone"), engine)?;
    small_steps(&folder.join("steps"), engine)?;
    for run in ["16", "1"] {
        let big = folder.join(format!("runs-{run}")).display().to_string();
        // Killed right after its last commit, then opened by a fresh process each time.
        child(["fill", &big, engine.name(), run])?;
        for state in ["killed", "closed"] {
            child([
                "open",
                &big,
                engine.name(),
                &format!("{state}_runs_of_{run}"),
            ])?;
        }
    }
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

fn child<const N: usize>(arguments: [&str; N]) -> Outcome<()> {
    Command::new(std::env::current_exe()?)
        .args(arguments)
        .status()?;
    Ok(())
}

fn open(folder: &Path, engine: EngineKind) -> Outcome<Store> {
    let mut rng = rand_core::UnwrapErr(getrandom::SysRng);
    let options = OpenOptions {
        engine,
        ..OpenOptions::default()
    };
    Ok(Store::open(
        &PathBuf::from(folder),
        &Access::KeyFile,
        &options,
        &mut rng,
    )?)
}

/// One row of 300 bytes a commit, nothing waiting behind it.
fn lone_commits(folder: &Path, engine: EngineKind) -> Outcome<()> {
    let core = open(folder, engine)?.core();
    let mut took = Vec::new();
    for step in 0..1000_u64 {
        let started = Instant::now();
        core.commit(vec![put(7, step, vec![step as u8; 260])])?;
        took.push(started.elapsed());
    }
    took.sort();
    figure(engine, "commit_p50", took[500].as_micros() as f64, "us");
    figure(engine, "commit_p99", took[990].as_micros() as f64, "us");
    Ok(())
}

/// Steps of one small row each, handed to the writer as fast as it takes them.
fn small_steps(folder: &Path, engine: EngineKind) -> Outcome<()> {
    let core = open(folder, engine)?.core();
    let writer = Writer::start(Arc::clone(&core), |_| {})?;
    let started = Instant::now();
    for step in 0..20_000_u64 {
        writer.submit(vec![put(7, step, vec![step as u8; 260]), counter(step)])?;
    }
    writer.flush()?;
    figure(
        engine,
        "small_steps",
        20_000.0 / started.elapsed().as_secs_f64(),
        "steps/s",
    );
    Ok(())
}

/// 200,000 messages in runs of `run`, through the writer; then dies.
fn fill(folder: &Path, engine: EngineKind, run: u64) -> Outcome<()> {
    let core = open(folder, engine)?.core();
    let commits = Arc::new(Mutex::new(0_u64));
    let counted = Arc::clone(&commits);
    let writer = Writer::start(Arc::clone(&core), move |_| {
        if let Ok(mut commits) = counted.lock() {
            *commits += 1;
        }
    })?;
    let before = cpu();
    let started = Instant::now();
    for row in 0..MESSAGES / run {
        writer.submit(run_step(row, run))?;
    }
    writer.flush()?;
    let took = started.elapsed();
    figure(
        engine,
        &format!("rate_runs_of_{run}"),
        MESSAGES as f64 / took.as_secs_f64(),
        "messages/s",
    );
    figure(
        engine,
        &format!("cpu_runs_of_{run}"),
        (cpu() - before).as_micros() as f64 / MESSAGES as f64,
        "us/message",
    );
    figure(
        engine,
        &format!("commits_runs_of_{run}"),
        commits.lock().map_or(0.0, |commits| *commits as f64),
        "commits",
    );
    figure(
        engine,
        &format!("disk_200k_runs_of_{run}"),
        core.stats()?.disk_bytes as f64 / 1e6,
        "MB",
    );
    Command::new("kill")
        .args(["-9", &std::process::id().to_string()])
        .status()?;
    Ok(())
}

fn reopen(folder: &Path, engine: EngineKind, state: &str) -> Outcome<()> {
    let started = Instant::now();
    let store = open(folder, engine)?;
    figure(
        engine,
        &format!("open_200k_{state}"),
        started.elapsed().as_secs_f64() * 1e3,
        "ms",
    );
    let core = store.core();
    let mut took = Vec::new();
    for round in 0..200 {
        let started = Instant::now();
        let thread = (round % THREADS) as u32;
        let page = Scan::all([&[7][..], &thread.to_be_bytes()].concat())
            .reversed()
            .limited(4);
        assert_eq!(core.committed().scan(page)?.len(), 4);
        took.push(started.elapsed());
    }
    took.sort();
    figure(
        engine,
        &format!("newest4rows_p50_{state}"),
        took[100].as_micros() as f64,
        "us",
    );
    figure(
        engine,
        &format!("newest4rows_max_{state}"),
        took[199].as_micros() as f64,
        "us",
    );
    figure(engine, &format!("rss_{state}"), rss_mib(), "MiB");
    Ok(())
}

/// What receiving or sending one run writes.
fn run_step(row: u64, run: u64) -> Vec<Write> {
    let thread = (row % THREADS) as u32;
    let scope = Scope {
        thread,
        generation: 0,
        period: 0,
    };
    let thread = thread.to_be_bytes();
    let arrival = (row / THREADS).to_be_bytes();
    let key = |space: u8| [&[space][..], &thread, &arrival].concat();
    let mut messages = vec![0; (run * 218) as usize];
    for (at, byte) in messages.iter_mut().enumerate() {
        *byte = (row as usize).wrapping_mul(31).wrapping_add(at * 7) as u8;
    }
    vec![
        Write::Put {
            key: key(7),
            value: messages,
            scope: Some(scope),
        },
        Write::Put {
            key: key(8),
            value: vec![1; 24],
            scope: None,
        },
        Write::Put {
            key: key(0x10),
            value: vec![2; 60],
            scope: None,
        },
        Write::Put {
            key: [&[5][..], &thread].concat(),
            value: vec![row as u8; 700],
            scope: None,
        },
        counter(row),
    ]
}

fn counter(step: u64) -> Write {
    Write::Put {
        key: vec![1],
        value: step.to_be_bytes().to_vec(),
        scope: None,
    }
}

fn put(space: u8, number: u64, value: Vec<u8>) -> Write {
    Write::Put {
        key: [&[space][..], &number.to_be_bytes()].concat(),
        value,
        scope: None,
    }
}

fn figure(engine: EngineKind, metric: &str, value: f64, unit: &str) {
    println!(
        "{{\"engine\":\"{engine}\",\"metric\":\"store.{metric}\",\"value\":{value:.1},\"unit\":\"{unit}\"}}"
    );
}

/// Processor time of all threads of this process.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks: u64 = stat.rsplit(')').next().map_or(0, |rest| {
        rest.split_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|field| field.parse::<u64>().ok())
            .sum()
    });
    Duration::from_millis(ticks * 10)
}

fn rss_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap_or_default();
    line.split_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse::<f64>().ok())
        .map_or(0.0, |kib| kib / 1024.0)
}
