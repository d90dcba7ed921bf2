// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the bench does not measure by itself: each figure is null and says what measures it.

use super::Terms;
use crate::figure::Report;

type Outcome = anyhow::Result<()>;

fn absent(report: &mut Report, metrics: &[(&str, &str)], reason: &str) -> Outcome {
    metrics
        .iter()
        .for_each(|(metric, unit)| report.nothing(metric, unit, reason));
    Ok(())
}

pub(crate) fn store(_: &Terms, report: &mut Report) -> Outcome {
    let reason = "measured by cargo run --release -p comptoir-store --example figures -- FOLDER";
    absent(
        report,
        &[("store.open_200k", "ms"), ("store.newest50_p50", "us")],
        reason,
    )
}

pub(crate) fn crypto(_: &Terms, report: &mut Report) -> Outcome {
    let reason =
        "measured by cargo test --release -p comptoir-crypto measure -- --ignored --nocapture";
    absent(
        report,
        &[("crypto.encrypt", "us"), ("crypto.decrypt", "us")],
        reason,
    )
}

pub(crate) fn idle(_: &Terms, report: &mut Report) -> Outcome {
    let reason = "nothing sets up 50 contacts and watches ten minutes yet";
    absent(
        report,
        &[("idle.cpu", "% of a core"), ("idle.rss", "MiB")],
        reason,
    )
}

pub(crate) fn scale(_: &Terms, report: &mut Report) -> Outcome {
    let reason = "nothing makes 10,000 threads in a store yet; the engine's story of scale counts reads only";
    absent(
        report,
        &[
            ("scale.threads_10k_open", "s"),
            ("scale.threads_10k_rss", "MiB"),
        ],
        reason,
    )
}

pub(crate) fn kill(_: &Terms, report: &mut Report) -> Outcome {
    let reason =
        "tried by COMPTOIR_KILLS=200 cargo test --profile ci -p comptoir-tests --test faults kill";
    let metrics = [
        ("kill.lost", "messages"),
        ("kill.duplicated", "messages"),
        ("kill.control_caught", "yes/no"),
    ];
    absent(report, &metrics, reason)
}

pub(crate) fn powercut(_: &Terms, report: &mut Report) -> Outcome {
    let reason =
        "tried by COMPTOIR_CUTS=60 cargo test --profile ci -p comptoir-tests --test faults power";
    let metrics = [
        ("powercut.lost", "messages"),
        ("powercut.unopened", "stores"),
        ("powercut.control_caught", "yes/no"),
    ];
    absent(report, &metrics, reason)
}
