// SPDX-License-Identifier: MIT OR Apache-2.0
//! The round: some minutes, or days, in which people write and things go wrong.

use crate::scenario::Scenario;
use crate::users::What;
use crate::wishes::Act;
use crate::world::{Happening, World};

const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

/// Lets one pass.
pub(crate) fn round(world: &mut World, scenario: Scenario) {
    let length_ms = if scenario == Scenario::Sleep3Days {
        4 * DAY_MS
    } else {
        10 * MINUTE_MS
    };
    for node in 0..2 {
        for _ in 0..4 + world.below(6) {
            let at = world.below(length_ms);
            // Some write in bursts: several steps then wait for one commit, and fall with it.
            let burst = if world.below(4) == 0 { 8 } else { 1 };
            for _ in 0..burst {
                let act = wish(world, node);
                world.later(at, Happening::Act { node, act });
            }
        }
        let at = world.below(length_ms);
        match scenario {
            Scenario::Pair if world.below(4) == 0 => {
                world.later(
                    at,
                    Happening::Act {
                        node,
                        act: Act::Flood { victim: 1 - node },
                    },
                );
            }
            Scenario::PairOffline => {
                let for_ms = MINUTE_MS + world.below(8 * MINUTE_MS);
                world.later(
                    at,
                    Happening::Act {
                        node,
                        act: Act::Sleep { for_ms },
                    },
                );
            }
            Scenario::Sleep3Days => {
                world.later(
                    at,
                    Happening::Act {
                        node,
                        act: Act::Sleep { for_ms: 3 * DAY_MS },
                    },
                );
                let to_ms =
                    world.below(2 * 365 * DAY_MS).cast_signed() - (365 * DAY_MS).cast_signed();
                let at = world.below(length_ms);
                world.later(
                    at,
                    Happening::Act {
                        node,
                        act: Act::JumpClock { to_ms: to_ms / 365 },
                    },
                );
            }
            _ => {
                let act = if world.below(3) == 0 {
                    Act::Kill
                } else {
                    Act::Break
                };
                world.later(at, Happening::Act { node, act });
            }
        }
    }
    world.pass(length_ms);
}

fn wish(world: &mut World, node: usize) -> Act {
    match world.below(20) {
        0 => Act::Ask(What::Read),
        1 => Act::Ask(What::Rename),
        chosen @ 2..=4 => {
            let number = world.next_text();
            let text = (chosen < 4).then(|| format!("<{number} from {node}, edited>"));
            let pick = world.below(u64::MAX);
            Act::Amend { pick, text }
        }
        // Half of the leaves end within a round, or while somebody sleeps.
        5 => {
            let at_most_ms = [10 * MINUTE_MS, 10 * DAY_MS][usize::from(world.below(2) == 0)];
            let for_ms = 1 + world.below(at_most_ms);
            Act::Allow { for_ms }
        }
        6 => Act::Ask(What::Allow { ends_ms: None }),
        7 => {
            let count = 1 + world.below(3);
            Act::Ask(What::Promote(texts(world, node, count)))
        }
        8 => Act::PromoteUnasked(texts(world, node, 1).concat()),
        9 => Act::Show {
            pick: world.below(u64::MAX),
        },
        _ => {
            let count = if world.below(5) == 0 {
                1 + world.below(64)
            } else {
                1 + world.below(3)
            };
            Act::Ask(What::Send(texts(world, node, count)))
        }
    }
}

fn texts(world: &mut World, node: usize, count: u64) -> Vec<String> {
    let number = world.next_text();
    let texts = (0..count).map(|i| format!("<{number}.{i} from {node}>"));
    texts.collect()
}
