// SPDX-License-Identifier: MIT OR Apache-2.0
//! The pending writes: what was submitted and is not durable yet, in order, and what a reader sees of it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use comptoir_engine::{Scope, Scopes, Write};

/// A value shared by the queue, the overlay and whoever reads it; none is a deletion.
pub(crate) type Value = Option<Arc<Plain>>;

/// A value that is not sealed yet.
pub(crate) struct Plain {
    pub(crate) bytes: Vec<u8>,
    /// What it is to be sealed under; none: the store's own keys.
    pub(crate) scope: Option<Scope>,
}

/// One group takes at most 512 submissions: with a row of 3.5 KB each that is within [`GROUP_BYTES_MAX`] anyway, and it
/// bounds how much work one failed commit undoes.
const GROUP_SUBMISSIONS_MAX: usize = 512;

/// One group takes at most 2 MiB, some 30 ms of a disk that writes 77 MB/s; more would only let the first wait longer.
const GROUP_BYTES_MAX: usize = 2 << 20;

/// The number of a submission, rising by one. Durable up to n means that all up to n are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub u64);

/// Submissions in order, over which newest value each key has among them.
#[derive(Default)]
pub(crate) struct Pending {
    queue: VecDeque<Submission>,
    queue_bytes: usize,
    overlay: BTreeMap<Vec<u8>, (Seq, Value)>,
    submitted: Seq,
    durable: Seq,
    /// Why nothing more is taken; set by the first group that failed.
    pub(crate) stopped: Option<String>,
}

struct Submission {
    seq: Seq,
    rows: Vec<(Vec<u8>, Value)>,
    destroys: Vec<Scopes>,
    bytes: usize,
}

/// What one commit carries: of each key the newest value.
pub(crate) struct Group {
    pub(crate) rows: BTreeMap<Vec<u8>, Value>,
    /// Scopes under which no row of this commit lies, nor any that is left.
    pub(crate) destroys: Vec<Scopes>,
    pub(crate) up_to: Seq,
}

impl Pending {
    /// Takes the writes of one step. They are read by later steps from now on.
    pub(crate) fn submit(&mut self, writes: Vec<Write>) -> Seq {
        self.submitted.0 += 1;
        let seq = self.submitted;
        let (mut rows, mut destroys) = (Vec::with_capacity(writes.len()), Vec::new());
        for write in writes {
            match write {
                Write::Put { key, value, scope } => {
                    let bytes = value;
                    rows.push((key, Some(Arc::new(Plain { bytes, scope }))));
                }
                Write::Delete { key } => rows.push((key, None)),
                Write::Destroy(scopes) => destroys.push(scopes),
            }
        }
        let bytes = rows
            .iter()
            .map(|(key, value): &(_, Value)| {
                key.len() + value.as_ref().map_or(0, |value| value.bytes.len())
            })
            .sum();
        for (key, value) in &rows {
            self.overlay.insert(key.clone(), (seq, value.clone()));
        }
        self.queue_bytes += bytes;
        self.queue.push_back(Submission {
            seq,
            rows,
            destroys,
            bytes,
        });
        seq
    }

    /// Takes the next submissions, up to a group's bounds. Of a key written by several only the newest value goes to
    /// disk: a counter that every step raises is sealed and written once a group.
    pub(crate) fn next_group(&mut self) -> Option<Group> {
        let mut group = Group {
            rows: BTreeMap::new(),
            destroys: Vec::new(),
            up_to: Seq::default(),
        };
        let (mut submissions, mut bytes) = (0, 0);
        while submissions < GROUP_SUBMISSIONS_MAX && bytes < GROUP_BYTES_MAX {
            let Some(submission) = self.queue.pop_front() else {
                break;
            };
            submissions += 1;
            bytes += submission.bytes;
            self.queue_bytes -= submission.bytes;
            group.up_to = submission.seq;
            group.rows.extend(submission.rows);
            group.destroys.extend(submission.destroys);
        }
        (submissions > 0).then_some(group)
    }

    /// The group is on disk: what it holds need not cover the disk any longer, unless it was written again since.
    pub(crate) fn on_durable(&mut self, group: &Group) {
        self.durable = group.up_to;
        for key in group.rows.keys() {
            if self
                .overlay
                .get(key)
                .is_some_and(|(seq, _)| *seq <= group.up_to)
            {
                self.overlay.remove(key);
            }
        }
    }

    /// A group failed: it and everything behind it is gone, and nothing more is taken.
    pub(crate) fn on_failure(&mut self, why: String) {
        self.queue.clear();
        self.queue_bytes = 0;
        self.overlay.clear();
        self.stopped.get_or_insert(why);
    }

    /// Forgets everything that is not durable; submissions are numbered on.
    pub(crate) fn reset(&mut self) {
        self.on_failure(String::new());
        self.stopped = None;
        self.durable = self.submitted;
    }

    pub(crate) fn value(&self, key: &[u8]) -> Option<&Value> {
        self.overlay.get(key).map(|(_, value)| value)
    }

    /// The pending rows in a range of keys, ascending.
    pub(crate) fn range(
        &self,
        bounds: (std::ops::Bound<&[u8]>, std::ops::Bound<&[u8]>),
    ) -> BTreeMap<Vec<u8>, Value> {
        self.overlay
            .range::<[u8], _>(bounds)
            .map(|(key, (_, value))| (key.clone(), value.clone()))
            .collect()
    }

    pub(crate) fn durable(&self) -> Seq {
        self.durable
    }

    pub(crate) fn submitted(&self) -> Seq {
        self.submitted
    }

    /// Bytes that wait in the queue, not counting a group under way.
    pub(crate) fn queue_bytes(&self) -> usize {
        self.queue_bytes
    }
}
