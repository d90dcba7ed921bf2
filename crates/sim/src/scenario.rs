// SPDX-License-Identifier: MIT OR Apache-2.0
//! The scenarios: what kinds of worlds there are, what goes wrong in each, and what must have happened.

use crate::faults::Faults;

/// What must fire in every kind of world.
const EXPECTED: [&str; 8] = [
    "edited",
    "erased",
    "promotion_refused",
    "leave_pretended",
    "promotion_shown",
    "held_back",
    "held_back_tapped",
    "held_back_shown",
];

/// What must fire where there are relays: without one nobody is given a box, and so no leave gets anywhere.
const EXPECTED_OF_RELAYS: [&str; 3] = [
    "promotions_allowed",
    "promotions_withdrawn",
    "promotion_sent",
];

/// What must fire where a relay is honest: an evil one says of everything that it is stored.
const EXPECTED_OF_GUESTS: [&str; 2] = ["guest_began", "promotion_ended"];

/// A kind of world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scenario {
    /// Two people, both at home, no relay: kills, failing commits, broken wires.
    Pair,
    /// Two people who are hardly ever there at once, two relays.
    PairOffline,
    /// One of the two relays drops, delays, reorders, repeats and forges.
    OneEvilRelay,
    /// Relays die and come back with nothing.
    AmnesiacRelay,
    /// Three of ten requests to relays are lost, wires break all the time.
    Lossy30,
    /// Laptops that sleep for three days, clocks that jump.
    Sleep3Days,
}

impl Scenario {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Pair,
        Self::PairOffline,
        Self::OneEvilRelay,
        Self::AmnesiacRelay,
        Self::Lossy30,
        Self::Sleep3Days,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pair => "pair",
            Self::PairOffline => "pair_offline",
            Self::OneEvilRelay => "one_evil_relay",
            Self::AmnesiacRelay => "amnesiac_relay",
            Self::Lossy30 => "lossy30",
            Self::Sleep3Days => "sleep_3_days",
        }
    }

    /// What must fire at least once over a thousand seeds, beside what must in all of them.
    fn expected_here(self) -> &'static [&'static str] {
        match self {
            Self::Pair => &[
                "killed",
                "commit_failed",
                "commit_failed_three_behind",
                "wire_broken",
                "asked_again",
                "flooded",
                "disk_filled",
                "held_back_ended",
            ],
            Self::PairOffline => &[
                "killed",
                "commit_failed",
                "relay_killed",
                "relay_unreachable",
                "dial_failed",
                "slept",
                "relay_duplicate",
            ],
            Self::OneEvilRelay => &[
                "evil_dropped",
                "evil_delayed",
                "evil_reordered",
                "evil_forged",
                "evil_repeated",
                "forged_found",
            ],
            Self::AmnesiacRelay => &[
                "relay_killed",
                "relay_forgot",
                "relay_unreachable",
                "relay_denied",
            ],
            Self::Lossy30 => &[
                "relay_lost",
                "wire_broken",
                "dial_failed",
                "relay_duplicate",
            ],
            Self::Sleep3Days => &["slept", "clock_jumped", "relay_unreachable"],
        }
    }

    /// What must fire at least once over a thousand seeds.
    pub(crate) fn expected(self) -> impl Iterator<Item = &'static str> {
        let some = |expected: &'static [&'static str], fires: bool| {
            &expected[..if fires { expected.len() } else { 0 }]
        };
        let all = self.expected_here().iter().chain(&EXPECTED);
        let of_relays = some(&EXPECTED_OF_RELAYS, self.relays() > 0);
        let of_guests = some(&EXPECTED_OF_GUESTS, self.has_guests());
        all.chain(of_relays).chain(of_guests).copied()
    }

    /// Whether some have no other relay than the one of who invited them: an evil one could keep everything from them.
    pub(crate) fn has_guests(self) -> bool {
        self.relays() > 0 && self != Self::OneEvilRelay
    }

    pub(crate) fn relays(self) -> usize {
        if self == Self::Pair { 0 } else { 2 }
    }

    /// One kind of fault is met in a round; it takes some for all of them to meet. Days cost more than minutes: of their
    /// rounds two must do.
    pub(crate) fn rounds(self) -> u64 {
        if self == Self::Sleep3Days { 2 } else { 3 }
    }

    pub(crate) fn faults(self) -> Faults {
        let common = Faults {
            delay_ms_max: 40,
            kills: 40,
            commit_fails: 30,
            ..Faults::default()
        };
        match self {
            Self::Pair => Faults {
                kills: 60,
                commit_fails: 60,
                wire_breaks: 150,
                disk_fills: 10,
                ..common
            },
            Self::PairOffline => Faults {
                dial_fails: 5_000,
                relay_kills: 20,
                ..common
            },
            Self::OneEvilRelay => Faults {
                dial_fails: 9_000,
                ..common
            },
            Self::AmnesiacRelay => Faults {
                dial_fails: 9_000,
                relay_kills: 100,
                relay_forgets: 5_000,
                ..common
            },
            Self::Lossy30 => Faults {
                delay_ms_max: 400,
                wire_breaks: 3_000,
                relay_losses: 3_000,
                dial_fails: 3_000,
                ..common
            },
            Self::Sleep3Days => Faults {
                dial_fails: 3_000,
                relay_kills: 20,
                ..common
            },
        }
    }
}
