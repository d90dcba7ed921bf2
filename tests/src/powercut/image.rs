// SPDX-License-Identifier: MIT OR Apache-2.0
//! The image: what a disk holds when the power fails at one moment of a trace.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::{Change, FileNumber, Moment, Trace};

/// When the power fails, and what the disk keeps of what was not synced.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// The moment. Calls that began later never happened.
    pub at: Moment,
    /// Of 256 unsynced writes so many are kept: 0 for none, 128 for half.
    pub kept_of_256: u8,
    /// Which ones: the same seed keeps the same.
    pub seed: u64,
}

impl Trace {
    /// Writes the traced `folder`, as the disk would hold it after the cut, to `target`.
    ///
    /// # Panics
    /// When the target cannot be written.
    pub fn image(&self, folder: &Path, target: &Path, cut: Cut) {
        let mut chance = Chance {
            state: cut.seed,
            kept_of_256: cut.kept_of_256,
        };
        let names = self.names(cut, &mut chance);
        let contents = self.contents(cut, &mut chance);
        fs::create_dir_all(target).expect("the image's folder can be made");
        let place = |path: &Path| {
            target.join(
                path.strip_prefix(folder)
                    .expect("a traced path lies in the folder"),
            )
        };
        for path in &names.folders {
            fs::create_dir_all(place(path)).expect("a folder of the image can be made");
        }
        for (path, file) in &names.files {
            let path = place(path);
            fs::create_dir_all(path.parent().expect("a file lies in a folder"))
                .expect("its folder can be made");
            fs::write(&path, contents.get(file).map_or(&[][..], Vec::as_slice))
                .expect("a file can be written");
            private(&path);
        }
    }

    /// The names after the cut: those made durable by a sync, and the first few of the later ones.
    fn names(&self, cut: Cut, chance: &mut Chance) -> Names {
        let durable_until = self
            .calls
            .iter()
            .filter(|call| call.ended <= cut.at)
            .filter(|call| {
                matches!(
                    call.change,
                    Change::FolderSynced
                        | Change::FileSynced {
                            names_too: true,
                            ..
                        }
                )
            })
            .map(|call| call.began)
            .max()
            .unwrap_or(0);
        let mut names = Names {
            files: self.before.keys().cloned().zip(0..).collect(),
            folders: self.folders_before.iter().cloned().collect(),
        };
        for call in self
            .calls
            .iter()
            .filter(|call| call.began <= cut.at && call.change.is_name())
        {
            if call.ended > durable_until && !chance.keeps() {
                break;
            }
            names.apply(&call.change);
        }
        names
    }

    /// The bytes of every file after the cut: those synced, and some of the others.
    fn contents(&self, cut: Cut, chance: &mut Chance) -> BTreeMap<FileNumber, Vec<u8>> {
        let mut synced_until: BTreeMap<FileNumber, Moment> = BTreeMap::new();
        for call in self.calls.iter().filter(|call| call.ended <= cut.at) {
            if let Change::FileSynced { file, .. } = call.change {
                synced_until.insert(file, call.began);
            }
        }
        let mut contents: BTreeMap<_, _> = self.before.values().cloned().enumerate().collect();
        for call in self.calls.iter().filter(|call| call.began <= cut.at) {
            let (Change::Written { file, .. } | Change::Resized { file, .. }) = call.change else {
                continue;
            };
            let synced = synced_until
                .get(&file)
                .is_some_and(|until| call.ended <= *until);
            if synced || chance.keeps() {
                apply(contents.entry(file).or_default(), &call.change);
            }
        }
        contents
    }
}

struct Names {
    files: BTreeMap<PathBuf, FileNumber>,
    folders: BTreeSet<PathBuf>,
}

impl Names {
    fn apply(&mut self, change: &Change) {
        match change {
            Change::Made { path, file } => {
                self.files.insert(path.clone(), *file);
            }
            Change::FolderMade { path } => {
                self.folders.insert(path.clone());
            }
            Change::Renamed { from, to } => {
                if let Some(file) = self.files.remove(from) {
                    self.files.insert(to.clone(), file);
                }
            }
            Change::Removed { path } => {
                self.files.remove(path);
                self.folders.remove(path);
            }
            _ => {}
        }
    }
}

fn apply(contents: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Written { at, bytes, .. } => {
            let at = usize::try_from(*at).expect("a file of a test fits memory");
            if contents.len() < at + bytes.len() {
                contents.resize(at + bytes.len(), 0);
            }
            contents[at..at + bytes.len()].copy_from_slice(bytes);
        }
        Change::Resized { bytes, .. } => {
            contents.resize(
                usize::try_from(*bytes).expect("a file of a test fits memory"),
                0,
            );
        }
        _ => {}
    }
}

/// Key files must be private; modes are not traced, since no file of ours changes its own.
fn private(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
        .expect("the mode of our own file can be set");
}

struct Chance {
    state: u64,
    kept_of_256: u8,
}

impl Chance {
    /// splitmix64: the figures of a seed never change.
    fn keeps(&mut self) -> bool {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) & 0xff) < u64::from(self.kept_of_256)
    }
}
