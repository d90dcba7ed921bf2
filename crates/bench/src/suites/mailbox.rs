// SPDX-License-Identifier: MIT OR Apache-2.0
//! The mailbox: the figures of delivery with every message through a relay, since nobody can dial anybody.

use anyhow::Context as _;

use super::delivery::{Floods, Lones};
use super::{Terms, limits};
use crate::figure::Report;
use crate::people::{Pair, Process, Way};

/// Lone messages of a run. Whoever is met only through a relay confirms once a second, so each takes about as long.
const LONE: u64 = 20;

/// Messages that may not be confirmed yet. The other side's word comes once a second at most, so a window of one second's
/// messages is full most of the time, and the figure would be the window's: this one lasts for two at 16,000 a second.
const WINDOW: u64 = 32_768;

pub(crate) fn measure(terms: &Terms, report: &mut Report) -> anyhow::Result<()> {
    limits::measure(terms, report)?;
    let (mut floods, mut lones) = (Floods::default(), Lones::default());
    for run in 0..terms.runs {
        let folder = terms.fresh()?;
        let home = folder.path().join("relay");
        let (relay, first) = Process::start(&["relay", home.to_str().context("a path in UTF-8")?])?;
        let link = first["link"].as_str().context("a relay says its link")?;
        let mut pair = Pair::meet(folder.path(), Way::Relay(link))?;
        lones.take(&mut pair, &format!("lone-{run}"), LONE)?;
        floods.take(&mut pair, &format!("flood-{run}"), terms.messages, WINDOW)?;
        pair.finish()?;
        relay.finish()?;
    }
    floods.report("mailbox", report);
    lones.report("mailbox", report);
    super::rates::measure(terms, report)
}
