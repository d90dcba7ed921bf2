// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a node may choose about its engine. Rules between nodes are not here.

use comptoir_protocol::body::BodyKinds;

/// Limits and schedules. `Config::default()` is what a person's node uses.
#[derive(Clone, Debug)]
pub struct Config {
    /// Body kinds this build understands. If left unset: the released ones.
    pub kinds: BodyKinds,
    /// Memory for loaded threads. If left unset: 8 MiB, some hundred threads in use at once.
    // Full: the thread unused for the longest time is dropped and loaded again when needed.
    pub cache_bytes_max: usize,
    /// What may wait for one contact. If left unset: 64 MiB, a week of a busy thread.
    // Full: Send is refused with `Refusal::OutboxFull`; what was accepted is never dropped.
    pub outbox_bytes_max: u64,
    /// Envelopes taken from one contact in a day, over all its ways together. If left unset: 200,000, a full envelope
    /// every half second.
    // Full: the next is not taken until the day is over; its sender keeps it.
    pub contact_envelopes_max: u32,
    /// Bytes on their way to one peer before it confirms. If left unset: 4 MiB.
    // Full: the rest waits in the outbox.
    pub flight_bytes_max: usize,
    /// Calls without an answer at one relay. If left unset: 64.
    // Full: the rest waits in the outbox.
    pub relay_calls_max: usize,
    /// How long a direct way may take before the relays are used as well. If left unset: 3 s.
    pub direct_wait_ms: u64,
    /// The first pause before something is tried again; doubled each time. If left unset: 2 s.
    pub retry_first_ms: u64,
    /// The longest pause between two tries. If left unset: 1 h.
    pub retry_longest_ms: u64,
    /// How long a message is tried before it is reported as not delivered. If left unset: 30 days.
    pub give_up_ms: u64,
    /// The mistake this engine makes, in the simulator's build.
    #[cfg(feature = "mutants")]
    pub mutant: Option<crate::seam::mutant::Mutant>,
    /// How long events are kept. If left unset: 30 days.
    pub events_kept_ms: u64,
}

const KIB: usize = 1024;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

impl Default for Config {
    fn default() -> Self {
        Config {
            kinds: BodyKinds::released(),
            cache_bytes_max: 8 * KIB * KIB,
            outbox_bytes_max: 64 * (KIB * KIB) as u64,
            contact_envelopes_max: 200_000,
            flight_bytes_max: 4 * KIB * KIB,
            relay_calls_max: 64,
            direct_wait_ms: 3_000,
            retry_first_ms: 2_000,
            retry_longest_ms: 60 * 60 * 1000,
            give_up_ms: 30 * DAY_MS,
            #[cfg(feature = "mutants")]
            mutant: None,
            events_kept_ms: 30 * DAY_MS,
        }
    }
}

/// Whether the engine makes a mistake on purpose; never, outside the simulator's build.
macro_rules! mutant {
    ($config:expr, $mutant:ident) => {{
        #[cfg(feature = "mutants")]
        let made = crate::seam::mutant::Mutant::$mutant.is_made($config.mutant);
        #[cfg(not(feature = "mutants"))]
        let _ = &$config;
        #[cfg(not(feature = "mutants"))]
        let made = false;
        made
    }};
}
pub(crate) use mutant;
