// SPDX-License-Identifier: MIT OR Apache-2.0
//! Disks that fill up: a real file system of a few MiB where this user may mount one, and the floor anywhere.

use std::path::Path;
use std::process::Command;

use super::{EngineKind, Floor, KvError, check_numbered, numbered, open, options, put};
use crate::Options;

/// A small file system of its own, gone with this value.
pub(super) struct Mounted {
    folder: Option<tempfile::TempDir>,
}

impl Mounted {
    /// None when this user may not mount.
    pub(super) fn tmpfs(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args([
                "-t",
                "tmpfs",
                "-o",
                &format!("size={size}"),
                "comptoir-test",
            ])
            .arg(folder.path())
            .stderr(std::process::Stdio::null())
            .status();
        mounted
            .is_ok_and(|status| status.success())
            .then_some(Self {
                folder: Some(folder),
            })
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.as_ref().unwrap().path()
    }

    pub(super) fn remount(&self, mode: &str) {
        let status = Command::new("mount")
            .args(["-o", &format!("remount,{mode}")])
            .arg(self.path())
            .status()
            .unwrap();
        assert!(status.success());
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount")
            .args(["-l".as_ref(), self.path().as_os_str()])
            .status();
    }
}

#[test]
fn below_the_floor_puts_are_refused_and_deletions_pass() {
    for engine in EngineKind::ON_DISK {
        let folder = tempfile::tempdir().unwrap();
        open(&options(folder.path(), engine))
            .unwrap()
            .commit(&put(b"a", b"1"))
            .unwrap();
        let floor = Floor {
            least_bytes: u64::MAX,
            times_store: 2,
        };
        let store = open(&Options {
            floor,
            ..options(folder.path(), engine)
        })
        .unwrap();
        let error = store.commit(&put(b"b", b"2")).unwrap_err();
        assert!(
            matches!(error, KvError::Full { .. }) && error.is_refusal(),
            "{error}"
        );
        store.commit(&[(b"a".to_vec(), None)].into()).unwrap();
        assert_eq!(store.get(b"a").unwrap(), None);
    }
}

#[test]
fn the_floor_grows_with_the_store() {
    let floor = Floor {
        least_bytes: 0,
        times_store: u64::MAX,
    };
    assert!(matches!(
        floor.check(Path::new("/"), 1),
        Err(KvError::Full { .. })
    ));
    floor.check(Path::new("/"), 0).unwrap();
}

/// The floor off, so that the engine itself meets the end of the disk.
#[test]
fn a_full_disk_is_an_error_and_loses_nothing_acknowledged() {
    for engine in EngineKind::ON_DISK {
        let Some(mounted) = Mounted::tmpfs("12m") else {
            println!("not run: this user may not mount a file system");
            return;
        };
        let folder = mounted.path().join("home");
        let store = open(&options(&folder, engine)).unwrap();
        let mut acknowledged = 0;
        let error = loop {
            match store.commit(&numbered(acknowledged)) {
                Ok(()) => acknowledged += 1,
                Err(error) => break error,
            }
        };
        println!("{engine}: {acknowledged} commits, then: {error}");
        assert!(matches!(error, KvError::NoSpace { .. }), "{error:?}");
        assert!(acknowledged > 100);
        assert!(matches!(
            store.commit(&put(b"a", b"1")),
            Err(KvError::Poisoned(_))
        ));
        drop(store);

        mounted.remount("size=64m");
        let store = open(&options(&folder, engine)).unwrap();
        let commits = store.stats().unwrap().commits;
        assert!(
            commits == acknowledged || commits == acknowledged + 1,
            "{commits} of {acknowledged}"
        );
        check_numbered(store.as_ref(), commits).unwrap();
    }
}

/// With the floor at its default the store stops early enough that it opens again on the same disk.
#[test]
fn above_the_floor_the_store_still_opens() {
    let Some(mounted) = Mounted::tmpfs("24m") else {
        println!("not run: this user may not mount a file system");
        return;
    };
    let folder = mounted.path().join("home");
    let floor = Floor {
        least_bytes: 1 << 20,
        times_store: 2,
    };
    let options = Options {
        floor,
        ..options(&folder, EngineKind::Sled)
    };
    let store = open(&options).unwrap();
    let mut acknowledged = 0;
    let error = loop {
        match store.commit(&numbered(acknowledged)) {
            Ok(()) => acknowledged += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, KvError::Full { .. }), "{error:?}");
    check_numbered(store.as_ref(), acknowledged).unwrap();
    drop(store);
    check_numbered(open(&options).unwrap().as_ref(), acknowledged).unwrap();
}
