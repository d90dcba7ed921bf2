// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an operator decides about a relay, and the bounds nobody may leave.

use std::fmt;

use ed25519_dalek::SigningKey;

/// Milliseconds of a day.
pub(crate) const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Milliseconds of an hour.
pub(crate) const HOUR_MS: u64 = 60 * 60 * 1000;

/// A deposit lies at most 30 days: as long as its sender keeps it in the outbox.
pub const ITEM_TTL_S_MAX: u64 = 30 * 24 * 60 * 60;

/// A stranger's request lies at most 7 days.
pub const REQUEST_TTL_S_MAX: u64 = 7 * 24 * 60 * 60;

/// A reader that has not fetched for 14 days no longer holds back what the others have acknowledged.
pub const READER_STALE_MS: u64 = 14 * DAY_MS;

/// A box with neither deposit nor fetch for 90 days is deleted. Every item in it has long met its own end.
pub const BOX_IDLE_MS: u64 = 90 * DAY_MS;

/// A boot counter is asked once a start, and a shop's node may run for a year without one.
pub const BOOT_IDLE_MS: u64 = 730 * DAY_MS;

const _: () = assert!(ITEM_TTL_S_MAX * 1000 < BOX_IDLE_MS && READER_STALE_MS < BOX_IDLE_MS);

/// Items in one box.
pub const BOX_ITEMS_MAX: u32 = 10_000;

/// Bytes of items in one box, and again as many of blobs.
pub const BOX_BYTES_MAX: u64 = 64 << 20;

/// Deposits whose names one box remembers unless its operator says otherwise.
pub const TRACES_KEPT_MAX: u32 = 50_000;

const _: () = assert!(TRACES_KEPT_MAX > BOX_ITEMS_MAX);

/// Between two rounds over all boxes. What ended is hidden at once; only its rows stay so much longer.
pub const LOOK_PAUSE_MS: u64 = 10 * 60 * 1000;

/// Requests in one front door. Full: the new one is refused, what lies there stays.
pub const REQUESTS_MAX: u32 = 200;

/// Of those, how many may come by puzzle: the rest is kept for holders of an invite token, so that a flood of
/// strangers cannot shut out the people who were asked to come.
pub const REQUESTS_BY_PUZZLE_MAX: u32 = 150;

/// Invite tokens of one front door that were used and have not expired. Each is 60 bytes; full: the new one is refused.
pub const TOKENS_MAX: u32 = 1_000;

/// Key packages waiting in one box: a month of four new threads a day. Full: the new ones are refused.
pub const PACKAGES_MAX: u32 = 120;

/// A key package lies at most 83 days. Its maker lets it be good for 90, which no relay can read: what is handed out has
/// a week left, and a maker that fills its pool every 30 days is never without.
pub const PACKAGE_KEPT_MS: u64 = 83 * DAY_MS;

/// Key packages one capability may take in 24 hours: a contact needs one a thread, more only empties the pool.
pub const PACKAGES_TAKEN_A_DAY_MAX: u32 = 16;

/// One blob. Its hash is checked in one step when the last piece arrives; 16 MiB are some 20 ms of one core.
pub const BLOB_BYTES_MAX: u64 = 16 << 20;

/// A blob lies at most 30 days unless its capability says less.
pub const BLOB_TTL_S_MAX: u64 = ITEM_TTL_S_MAX;

/// Long poll: how long a FETCH may wait.
pub const FETCH_WAIT_S_MAX: u64 = 50;

/// Items in one answer: at 500 bytes each, 128 just fill a frame.
pub const FETCH_ITEMS_MAX: u32 = 128;

/// How full the disk is, as the operator's watermark sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum DiskLevel {
    /// Everything is taken.
    #[default]
    Roomy,
    /// From 80 % of the operator's bytes: no new boxes.
    NoBoxes,
    /// From 90 %: nothing from strangers either.
    NoStrangers,
    /// From 100 %, or when the store says that the disk is full: no deposits. What was stored stays until it is
    /// acknowledged or expires.
    NoDeposits,
}

impl DiskLevel {
    /// The level at `used` of `max` bytes.
    #[must_use]
    pub fn at(used_bytes: u64, max_bytes: u64) -> Self {
        let percent = u128::from(used_bytes) * 100 / u128::from(max_bytes.max(1));
        match percent {
            0..80 => Self::Roomy,
            80..90 => Self::NoBoxes,
            90..100 => Self::NoStrangers,
            _ => Self::NoDeposits,
        }
    }
}

/// Quotas of a relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes the relay's store may take on disk. Defaults to 16 GiB.
    pub disk_bytes_max: u64,
    /// Items in one box. Defaults to 10,000, which is also the most.
    pub box_items_max: u32,
    /// Bytes of items in one box. Defaults to 64 MiB, which is also the most.
    pub box_bytes_max: u64,
    /// Deposits whose names one box remembers. Defaults to 50,000: at some 85 bytes each, 4 MiB beside the items' 64.
    /// Without a bound, whoever deposits into an own box and acknowledges at once would fill the disk outside every quota.
    pub box_traces_max: u32,
    /// Boxes on this relay. Defaults to 1,000,000.
    pub boxes_max: u64,
    /// Zero bits of the front door's puzzle. Defaults to 20: about a second of one core.
    pub puzzle_bits: u8,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            disk_bytes_max: 16 << 30,
            box_items_max: BOX_ITEMS_MAX,
            box_bytes_max: BOX_BYTES_MAX,
            box_traces_max: TRACES_KEPT_MAX,
            boxes_max: 1_000_000,
            puzzle_bits: 20,
        }
    }
}

/// A relay: its key, who may have boxes on it, and how much.
pub struct Config {
    /// The relay's identity; signs receipts and tickets.
    pub key: SigningKey,
    /// Where it listens, as multiaddrs: what INFO tells.
    pub addresses: Vec<String>,
    /// Whether CREATE passes without a ticket.
    pub open: bool,
    /// Its quotas.
    pub limits: Limits,
}

impl fmt::Debug for Config {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            key: _,
            addresses,
            open,
            limits,
        } = self;
        formatter
            .debug_struct("Config")
            .field("addresses", addresses)
            .field("open", open)
            .field("limits", limits)
            .finish_non_exhaustive()
    }
}
