// SPDX-License-Identifier: MIT OR Apache-2.0
//! A journaled map: what the engine remembers, with the way back when a step fails.

use std::collections::BTreeMap;
use std::ops::RangeBounds;

/// A map that can undo what the current step did to it.
///
/// `Err` of a step means that nothing changed. A copy of the memory of ten thousand threads per step would be the
/// simple way; this keeps only the values a step touched.
#[derive(Debug)]
pub(crate) struct Journaled<K, V> {
    map: BTreeMap<K, V>,
    undo: Vec<(K, Option<V>)>,
}

impl<K, V> Default for Journaled<K, V> {
    fn default() -> Self {
        Journaled {
            map: BTreeMap::new(),
            undo: Vec::new(),
        }
    }
}

impl<K: Ord + Clone, V: Clone> Journaled<K, V> {
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.map.get(key)
    }

    pub(crate) fn contains(&self, key: &K) -> bool {
        self.map.contains_key(key)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let old = self.map.insert(key.clone(), value);
        self.undo.push((key, old.clone()));
        old
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let old = self.map.remove(key)?;
        self.undo.push((key.clone(), Some(old.clone())));
        Some(old)
    }

    /// Changes the value of `key` in place; the value before is kept for the way back.
    pub(crate) fn change<T>(&mut self, key: &K, change: impl FnOnce(&mut V) -> T) -> Option<T> {
        let value = self.map.get_mut(key)?;
        self.undo.push((key.clone(), Some(value.clone())));
        Some(change(value))
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.map.iter()
    }

    pub(crate) fn range(
        &self,
        range: impl RangeBounds<K>,
    ) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.map.range(range)
    }

    pub(crate) fn first(&self) -> Option<(&K, &V)> {
        self.map.first_key_value()
    }

    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    /// The step succeeded: forget the way back.
    pub(crate) fn keep(&mut self) {
        self.undo.clear();
        self.undo.shrink_to(64);
    }

    /// The step failed: put every touched value back, the last first.
    pub(crate) fn undo(&mut self) {
        while let Some((key, old)) = self.undo.pop() {
            match old {
                Some(value) => self.map.insert(key, value),
                None => self.map.remove(&key),
            };
        }
    }

    /// About how many bytes the map holds, values counted by `heap` beyond their own size.
    pub(crate) fn memory_bytes(&self, heap: impl Fn(&V) -> usize) -> usize {
        // B-tree leaves are filled to two thirds on average.
        let slot = (size_of::<K>() + size_of::<V>()) * 3 / 2;
        self.map.len() * slot + self.map.values().map(heap).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_leaves_no_trace() {
        let mut map = Journaled::default();
        map.insert(1, "one");
        map.insert(2, "two");
        map.keep();
        map.insert(3, "three");
        map.remove(&1);
        map.change(&2, |value| *value = "deux");
        map.insert(1, "un");
        map.undo();
        let left: Vec<_> = map.iter().map(|(key, value)| (*key, *value)).collect();
        assert_eq!(left, [(1, "one"), (2, "two")]);
    }
}
