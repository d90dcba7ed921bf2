// SPDX-License-Identifier: MIT OR Apache-2.0
//! What reaches a device: in random order, some of it twice.

use super::*;

impl World {
    pub(super) fn hears_one(&mut self, at: usize) {
        let waiting = self.devices[at].inbox.len();
        if waiting == 0 {
            return;
        }
        // Order is random, and nothing comes much later than what was sent after it.
        let pick = self.below(waiting.min(12));
        let number = self.devices[at].inbox.remove(pick);
        let item = self.items[number].clone();
        if !self.hears(at, &item) {
            self.devices[at].parked.push(number);
        } else if self.one_in(5) || self.devices[at].thread.is_some() && self.is_lost(at) {
            self.devices[at].inbox.push(number);
        }
    }

    /// Whether it could be dealt with.
    pub(super) fn hears(&mut self, at: usize, item: &Item) -> bool {
        let now = self.now;
        if let Item::Welcome(to, bytes) = item {
            if *to == at {
                self.is_welcomed(at, bytes);
            }
            return true;
        }
        let device = &mut self.devices[at];
        let Some(thread) = &mut device.thread else {
            return false;
        };
        let moved = match item {
            Item::Commit(parent, bytes) => {
                match thread.receive_commit(&device.rows, *parent, bytes, now) {
                    Ok(received) => {
                        if !received.known {
                            device.inbox.append(&mut device.parked);
                        }
                        received.moved
                    }
                    Err(ReceiveError::UnknownParent { .. }) => return false,
                    Err(ReceiveError::Tree(_) | ReceiveError::Process(ProcessError::Own)) => None,
                    Err(error) => panic!("seed {}: device {at}: {error}", self.seed),
                }
            }
            Item::Message(state, bytes) => return self.reads(at, *state, bytes),
            Item::Acknowledgement(vector) => match thread.acknowledge(&device.rows, vector, now) {
                Ok(moved) => moved,
                Err(AcknowledgeError::NotAMember) => None,
                Err(error) => panic!("seed {}: device {at}: {error}", self.seed),
            },
            Item::Welcome(..) => None,
        };
        self.follows_up(at, moved);
        true
    }

    pub(super) fn reads(&mut self, at: usize, state: ParentHash, bytes: &[u8]) -> bool {
        let device = &mut self.devices[at];
        let thread = device.thread.as_mut().unwrap();
        let off_the_way = state != thread.head() && thread.branches().contains(state);
        match thread.decrypt(&device.rows, state, bytes, &state.0) {
            Ok(opened) => {
                let id = u64::from_be_bytes(opened.plaintext.try_into().unwrap()) as usize;
                if self.is_lost(at) {
                    let again = self.items.len();
                    self.items.push(Item::Message(state, bytes.to_vec()));
                    self.devices[at].inbox.push(again);
                    return true;
                }
                let device = &mut self.devices[at];
                let first = device.opened.insert(bytes.to_vec());
                let is_kept = device.thread.as_ref().unwrap().branches().contains(state);
                assert!(
                    first || !is_kept,
                    "seed {}: {at} opened an envelope twice in a state that it keeps",
                    self.seed
                );
                device.read.insert(id);
                self.told.read_off_the_way += usize::from(off_the_way);
                self.told.opened_again += usize::from(!first);
            }
            Err(ReadError::UnknownState { .. }) => return false,
            Err(ReadError::Decrypt(
                DecryptError::Own | DecryptError::Used | DecryptError::Removed,
            )) => {}
            Err(error) => panic!("seed {}: device {at}: {error}", self.seed),
        }
        true
    }

    pub(super) fn is_welcomed(&mut self, at: usize, welcome: &[u8]) {
        let device = &mut self.devices[at];
        let Some(package) = &device.package else {
            return;
        };
        if device.is_active() && device.before.is_some() {
            return;
        }
        if let Ok(joined) = MlsThread::join(welcome, package) {
            // A Welcome that comes again would lead back to where it led before.
            device.package = None;
            self.begins(at, joined.thread);
        }
    }

    pub(super) fn follows_up(&mut self, at: usize, moved: Option<Moved>) {
        if moved.is_some() {
            self.told.moves += 1;
            let head = self.devices[at].head().unwrap();
            assert_ne!(moved.map(|moved| moved.from), Some(head));
        }
        if self.one_in(2) {
            self.acknowledges(at, true);
        }
    }

    pub(super) fn acknowledges(&mut self, at: usize, lossy: bool) {
        let seed = self.seed;
        if !self.devices[at].is_active() {
            return;
        }
        let thread = self.devices[at].thread.as_mut().unwrap();
        let vector = AckVector {
            thread: thread_id(seed),
            incarnation: 1,
            parent: thread.head(),
            entries: Vec::new(),
        };
        let signed = thread.sign(&vector);
        self.devices[at].stores();
        let number = self.items.len();
        self.items.push(Item::Acknowledgement(signed));
        for other in 0..self.devices.len() {
            if other != at && !(lossy && self.one_in(5)) {
                self.devices[other].inbox.push(number);
            }
        }
    }
}
