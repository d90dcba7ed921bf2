// SPDX-License-Identifier: MIT OR Apache-2.0
//! The lock of a folder: one process at a time, and a sentence for the second.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use crate::KvError;

/// The name of the lock file. It stays behind; the kernel lets go of the lock itself when its owner dies, however.
const LOCK_FILE: &str = "lock";

/// Bytes of a process number and a line end that are read from another's lock file.
const OWNER_BYTES_MAX: u64 = 16;

/// A folder owned by this handle until it is dropped.
#[derive(Debug)]
pub struct DirectoryLock {
    file: File,
}

impl DirectoryLock {
    /// Takes the folder, or names the process that has it. The folder must exist.
    pub fn take(folder: &Path) -> Result<Self, KvError> {
        let path = folder.join(LOCK_FILE);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| KvError::from_io("opening the lock file", folder, error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(KvError::Locked {
                    folder: folder.to_path_buf(),
                    process: read_owner(&mut file),
                });
            }
            Err(TryLockError::Error(error)) => {
                return Err(KvError::from_io("locking the folder", folder, error));
            }
        }
        write_owner(&mut file)
            .map_err(|error| KvError::from_io("writing the lock file", folder, error))?;
        Ok(Self { file })
    }
}

impl Drop for DirectoryLock {
    /// Lets go by name: a child process that is just being started holds a copy of the file for a moment, and closing
    /// ours alone would leave the folder locked as long.
    fn drop(&mut self) {
        // The kernel lets go in any case, with the last copy.
        let _ = self.file.unlock();
    }
}

fn write_owner(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

fn read_owner(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(OWNER_BYTES_MAX).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
