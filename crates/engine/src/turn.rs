// SPDX-License-Identifier: MIT OR Apache-2.0
//! The turn: one step being worked out. Everything it does can still be dropped.

use std::collections::{BTreeMap, BTreeSet};

use comptoir_crypto::StepSeed;
use comptoir_protocol::codec::Wire;
use comptoir_protocol::frame::PeerFrame;
use comptoir_protocol::id::{PeerKey, Rid};
use comptoir_protocol::time::Time;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use crate::bodies::Told;
use crate::memory::Memory;
use crate::rows::counts::Counts;
use crate::rows::key::{self, Key};
use crate::rows::record::{from_row, to_row};
use crate::seam::config::{Config, mutant};
use crate::seam::error::EngineError;
use crate::seam::event::{Event, EventRecord};
use crate::seam::step::{Dial, ROW_BYTES_MAX, Scope, Scopes, Send, Step, Write};
use crate::seam::view::{Row, Scan, View};
use crate::thread_cache::{Loaded, ThreadCache};

/// One step being worked out: rows read through it show what it wrote, and nothing is kept until it is finished.
pub(crate) struct Turn<'a> {
    pub(crate) config: &'a Config,
    pub(crate) memory: &'a mut Memory,
    pub(crate) cache: &'a mut ThreadCache,
    pub(crate) now: Time,
    pub(crate) rng: ChaCha20Rng,
    pub(crate) step: Step,
    view: &'a dyn View,
    writes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// What those rows lie under that hold what was said.
    scopes: BTreeMap<Vec<u8>, Scope>,
    destroyed: Vec<Scopes>,
    /// Threads used in this turn; they go back to the cache only when it succeeds.
    pub(crate) used: BTreeMap<u32, Loaded>,
    /// What contacts told the node in this step.
    pub(crate) told: Vec<Told>,
    /// Peers whose deliveries are answered at the end of the step.
    pub(crate) confirmed: BTreeSet<PeerKey>,
    /// Items that relays may drop, acknowledged at the end of the step.
    pub(crate) fetched: BTreeMap<Rid, Vec<u64>>,
    /// How messages went in this step.
    pub(crate) counted: Counts,
}

impl<'a> Turn<'a> {
    pub(crate) fn new(
        config: &'a Config,
        memory: &'a mut Memory,
        cache: &'a mut ThreadCache,
        view: &'a dyn View,
        now: Time,
        seed: [u8; 32],
    ) -> Self {
        Turn {
            config,
            memory,
            cache,
            now,
            rng: ChaCha20Rng::from_seed(seed),
            step: Step::default(),
            view,
            writes: BTreeMap::new(),
            scopes: BTreeMap::new(),
            destroyed: Vec::new(),
            used: BTreeMap::new(),
            told: Vec::new(),
            confirmed: BTreeSet::new(),
            fetched: BTreeMap::new(),
            counted: Counts::default(),
        }
    }

    /// The step, with every row it changes. The threads it used are back in the cache.
    pub(crate) fn finish(mut self) -> Result<Step, EngineError> {
        self.flush_answers()?;
        self.settle_threads()?;
        if self.counted != Counts::default() {
            let before: Counts = self.load(Key::of(key::COUNTS))?.unwrap_or_default();
            let after = before.plus(&self.counted);
            self.put(Key::of(key::COUNTS), &after);
        }
        self.check_rows()?;
        let Turn {
            mut step,
            writes,
            mut scopes,
            destroyed,
            used,
            cache,
            memory,
            config,
            ..
        } = self;
        for (_, loaded) in used {
            cache.put(loaded);
        }
        cache.shrink(config.cache_bytes_max);
        let sent = step
            .answers
            .iter()
            .any(|(_, answer)| matches!(answer, Ok(crate::Answer::Sent { .. })));
        step.writes = writes
            .into_iter()
            .filter(|(key, _)| !forgotten(config, key, sent))
            .map(|(key, value)| match value {
                Some(value) => {
                    let scope = scopes.remove(&key);
                    Write::Put { key, value, scope }
                }
                None => Write::Delete { key },
            })
            .chain(destroyed.into_iter().map(Write::Destroy))
            .collect();
        step.wake_at = memory.wake_at();
        Ok(step)
    }

    fn check_rows(&self) -> Result<(), EngineError> {
        let mut rows = self
            .writes
            .iter()
            .filter_map(|(key, row)| Some((key, row.as_ref()?.len())));
        match rows.find(|(_, bytes)| *bytes > ROW_BYTES_MAX) {
            None => Ok(()),
            Some((key, bytes)) => Err(EngineError::TooLong {
                key: hex(key),
                bytes,
                max: ROW_BYTES_MAX,
            }),
        }
    }

    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        match self.writes.get(key) {
            Some(written) => Ok(written.clone()),
            None => Ok(self.view.get(key)?),
        }
    }

    /// Rows of a range as they will be after this step.
    pub(crate) fn scan(&self, range: Scan) -> Result<Vec<Row>, EngineError> {
        // Rows this step deletes must not count against the limit.
        let deleted = self
            .writes
            .iter()
            .filter(|(key, value)| value.is_none() && key.starts_with(&range.prefix))
            .count();
        let limit = range.limit;
        let reverse = range.reverse;
        let stored = self.view.scan(Scan {
            limit: limit.saturating_add(deleted),
            ..range.clone()
        })?;
        let mut rows: BTreeMap<Vec<u8>, Vec<u8>> = stored.into_iter().collect();
        for (key, value) in self
            .writes
            .range(range.prefix.clone()..)
            .take_while(|(key, _)| key.starts_with(&range.prefix))
        {
            let outside = match &range.from {
                Some(from) if reverse => key > from,
                Some(from) => key < from,
                None => false,
            };
            match value {
                _ if outside => {}
                Some(value) => {
                    rows.insert(key.clone(), value.clone());
                }
                None => {
                    rows.remove(key);
                }
            }
        }
        Ok(if reverse {
            rows.into_iter().rev().take(limit).collect()
        } else {
            rows.into_iter().take(limit).collect()
        })
    }

    /// Reads a record.
    pub(crate) fn load<T: Wire>(&self, key: impl Into<Vec<u8>>) -> Result<Option<T>, EngineError> {
        let key = key.into();
        self.get(&key)?.map(|row| read_row(&key, &row)).transpose()
    }

    /// Reads a record that another one names.
    pub(crate) fn require<T: Wire>(&self, key: impl Into<Vec<u8>>) -> Result<T, EngineError> {
        let key = key.into();
        match self.get(&key)? {
            Some(row) => read_row(&key, &row),
            None => Err(EngineError::Missing { key: hex(&key) }),
        }
    }

    pub(crate) fn put<T: Wire>(&mut self, key: impl Into<Vec<u8>>, record: &T) {
        self.writes.insert(key.into(), Some(to_row(record)));
    }

    pub(crate) fn put_bytes(&mut self, key: impl Into<Vec<u8>>, value: Vec<u8>) {
        self.writes.insert(key.into(), Some(value));
    }

    /// Puts a record that holds what was said.
    pub(crate) fn put_said<T: Wire>(
        &mut self,
        key: impl Into<Vec<u8>>,
        record: &T,
        scope: Scope,
    ) -> Result<(), EngineError> {
        self.put_said_bytes(key, to_row(record), scope)
    }

    pub(crate) fn put_said_bytes(
        &mut self,
        key: impl Into<Vec<u8>>,
        row: Vec<u8>,
        scope: Scope,
    ) -> Result<(), EngineError> {
        let key = key.into();
        self.scopes.insert(key.clone(), scope);
        self.writes.insert(key, Some(row));
        self.note_period(scope)
    }

    /// Destroys keys, behind everything this step writes.
    pub(crate) fn destroy(&mut self, scopes: Scopes) {
        self.destroyed.push(scopes);
    }

    pub(crate) fn delete(&mut self, key: impl Into<Vec<u8>>) {
        self.writes.insert(key.into(), None);
    }

    /// Numbers an event, keeps it and shows it with the step.
    pub(crate) fn event(&mut self, event: Event) {
        if mutant!(self.config, HidesGaps) && matches!(event, Event::GapSeen { .. }) {
            return;
        }
        let number = self.memory.numbers.event;
        self.memory.numbers.event += 1;
        self.put(
            Key::of(key::EVENT).u64(number),
            &EventRecord {
                wall_ms: self.now.wall_ms,
                event: event.clone(),
            },
        );
        self.step.events.push((number, event));
    }

    pub(crate) fn send(&mut self, peer: PeerKey, frame: &PeerFrame) {
        self.step.sends.push(Send {
            peer,
            frame: frame.to_bytes(),
        });
    }

    pub(crate) fn dial(&mut self, peer: PeerKey, addresses: Vec<String>) {
        self.step.dials.push(Dial { peer, addresses });
    }

    /// The randomness of one cryptographic operation.
    pub(crate) fn seed(&mut self) -> StepSeed {
        StepSeed::draw(&mut self.rng)
    }

    pub(crate) fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    /// `pause_ms`, spread over half of it on either side, so that many nodes do not come back at once.
    pub(crate) fn jittered(&mut self, pause_ms: u64) -> u64 {
        let half = (pause_ms / 2).max(1);
        pause_ms - half + self.rng.next_u64() % (2 * half)
    }
}

/// Rows that a mutant does not write.
fn forgotten(config: &Config, key: &[u8], sent: bool) -> bool {
    let space = key.first().copied();
    let seventh = key.last().is_some_and(|byte| byte % 7 == 0);
    let mistakes = [
        (
            mutant!(config, AnswersWithoutRow),
            sent && space == Some(key::RUN),
        ),
        (
            mutant!(config, ForgetsSendRatchet),
            sent && space == Some(key::MLS),
        ),
        (
            mutant!(config, LosesEventRows),
            seventh && space == Some(key::EVENT),
        ),
    ];
    mistakes.into_iter().any(|(made, meant)| made && meant)
}

pub(crate) fn read_row<T: Wire>(key: &[u8], row: &[u8]) -> Result<T, EngineError> {
    from_row(row).map_err(|source| EngineError::Row {
        key: hex(key),
        source,
    })
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seam::view::ViewError;

    struct Nothing;

    impl View for Nothing {
        fn get(&self, _: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
            Ok(None)
        }
        fn scan(&self, _: Scan) -> Result<Vec<Row>, ViewError> {
            Ok(Vec::new())
        }
    }

    fn step_with_a_row_of(bytes: usize) -> Result<Step, EngineError> {
        let (config, mut memory) = (Config::default(), Memory::default());
        let (wall_ms, mono_ms, boot) = (1, 1, [1; 16]);
        let now = Time {
            wall_ms,
            mono_ms,
            boot,
        };
        let mut cache = ThreadCache::default();
        let mut turn = Turn::new(&config, &mut memory, &mut cache, &Nothing, now, [1; 32]);
        turn.put_bytes(Key::of(key::MLS).u32(7), vec![0; bytes]);
        turn.finish()
    }

    #[test]
    fn a_step_with_a_row_that_no_store_takes_is_an_error_and_not_a_failed_commit() {
        assert_eq!(step_with_a_row_of(ROW_BYTES_MAX).unwrap().writes.len(), 1);
        let refused = step_with_a_row_of(ROW_BYTES_MAX + 1).unwrap_err();
        assert!(
            matches!(refused, EngineError::TooLong { ref key, .. } if key == "0600000007"),
            "{refused}"
        );
    }
}
