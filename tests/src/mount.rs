// SPDX-License-Identifier: MIT OR Apache-2.0
//! The small disk: a file system of its own, that a story may fill.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A file system in memory, gone with this value.
#[derive(Debug)]
pub struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    /// Mounts one of so many MiB. None when this user may not.
    ///
    /// # Panics
    /// When there is no temporary folder to mount it on.
    pub fn of_mebibytes(mebibytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().expect("there is a temporary folder");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("mode=700,size={mebibytes}m")]);
        mount.arg("comptoir-test").arg(folder.path());
        let mounted = mount.stderr(Stdio::null()).status();
        mounted
            .is_ok_and(|status| status.success())
            .then_some(Self { folder })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Takes up room until so many bytes are left.
    ///
    /// # Panics
    /// When the disk cannot be asked or written to.
    pub fn fills_up(&self, left_bytes: u64) {
        let disk = rustix::fs::statvfs(self.path()).expect("a mounted disk can be asked");
        let free_bytes = disk.f_bavail * disk.f_frsize;
        let file = File::create(self.filler()).expect("the disk can be written to");
        let take = free_bytes.saturating_sub(left_bytes);
        let flags = rustix::fs::FallocateFlags::empty();
        rustix::fs::fallocate(&file, flags, 0, take).expect("there is as much room as was said");
    }

    /// Gives that room back.
    ///
    /// # Panics
    /// When it was not taken.
    pub fn has_room_again(&self) {
        std::fs::remove_file(self.filler()).expect("the disk was filled");
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let umount = Command::new("umount").arg("-l").arg(self.path()).status();
        drop(umount);
    }
}
