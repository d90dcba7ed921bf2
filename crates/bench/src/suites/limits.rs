// SPDX-License-Identifier: MIT OR Apache-2.0
//! The limits: what transport and disk do by themselves, in the same run as what is held against them.

use anyhow::Context as _;
use comptoir_net::limits_probe::{Load, ProbeTarget};

use super::Terms;
use crate::figure::{Report, median};
use crate::people::Process;

const DIALS: usize = 20;
const ROUND_TRIPS: usize = 2_000;
const BULK_BYTES: u64 = 256 << 20;

/// Prints all of them.
pub(crate) fn measure(terms: &Terms, report: &mut Report) -> anyhow::Result<()> {
    transport(terms, report)?;
    disk(terms, report)
}

/// Prints those of the disk.
pub(crate) fn disk(terms: &Terms, report: &mut Report) -> anyhow::Result<()> {
    let folder = terms.fresh()?;
    let (mut synced, mut commits) = (Vec::new(), Vec::new());
    for run in 0..terms.runs {
        synced.push(crate::disk::fdatasync_rate(folder.path())?);
        commits.push(commit_p50_us(&folder.path().join(format!("store-{run}")))?);
    }
    report.figure("limit.fdatasync_rate", "1/s", &synced);
    report.figure("limit.commit_p50", "us", &commits);
    Ok(())
}

fn transport(terms: &Terms, report: &mut Report) -> anyhow::Result<()> {
    let (server, first) = Process::start(&["probe"])?;
    let target: ProbeTarget = first["target"]
        .as_str()
        .context("a probe says where it is")?
        .parse()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let (mut rate, mut round_trip, mut dial, mut bulk) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    runtime.block_on(async {
        for _ in 0..terms.runs {
            rate.push(
                target
                    .acknowledged_rate(Load::one_per_write(terms.messages))
                    .await?,
            );
            round_trip.push(middle_us(target.round_trips(ROUND_TRIPS).await?));
            dial.push(middle_us(target.dial(DIALS).await?) / 1e3);
            bulk.push(target.bulk(BULK_BYTES).await? / 1e6);
        }
        anyhow::Ok(())
    })?;
    report.figure("limit.libp2p_rate", "1/s", &rate);
    report.figure("limit.libp2p_rtt_p50", "us", &round_trip);
    report.figure("limit.libp2p_dial", "ms", &dial);
    report.figure("limit.libp2p_bulk", "MB/s", &bulk);
    server.finish()
}

fn middle_us(taken: Vec<std::time::Duration>) -> f64 {
    let mut micros: Vec<f64> = taken.iter().map(|one| one.as_secs_f64() * 1e6).collect();
    micros.sort_by(f64::total_cmp);
    median(&micros)
}

/// One row of 260 bytes a commit, in a store as `init` makes it, nothing waiting behind it.
fn commit_p50_us(folder: &std::path::Path) -> anyhow::Result<f64> {
    const COMMITS: u64 = 300;
    let core = super::open_store(folder)?.core();
    let mut taken = Vec::new();
    for step in 0..COMMITS {
        let key = [&[7][..], &step.to_be_bytes()].concat();
        let value = vec![u8::try_from(step % 251)?; 260];
        let start = std::time::Instant::now();
        let scope = None;
        core.commit(vec![comptoir_engine::Write::Put { key, value, scope }])?;
        taken.push(start.elapsed());
    }
    Ok(middle_us(taken))
}
