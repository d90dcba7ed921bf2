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
