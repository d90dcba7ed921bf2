// SPDX-License-Identifier: MIT OR Apache-2.0
//! The watermark: the number of the last acknowledged commit, kept outside the engine.
//!
//! sled opens a log whose end is missing or damaged as if it had always been that short. The number of each commit lies
//! in its own batch and, once the batch is durable, in this file; a store that knows a smaller number than this file has
//! lost commits that somebody was told are safe.
//!
//! ```text
//! file    slot 0 (64 bytes) | slot 1 (64 bytes)       written in turn, so a torn write leaves the other
//! slot    magic (8) | commit (8, big-endian) | zero (16) | HMAC-SHA256(key, the 32 bytes before) (32)
//! ```

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::KvError;

const MAGIC: [u8; 8] = *b"CTRwm\0\0\x01";
const SLOT_BYTES: usize = 64;
const SIGNED_BYTES: usize = 32;
const FILE_NAME: &str = "watermark";

/// The open file.
pub(crate) struct Watermark {
    file: File,
    path: PathBuf,
    key: [u8; 32],
    commit: u64,
}

impl Watermark {
    /// Makes the file, or overwrites what is left of one, with `commit` in both slots; durable on return.
    pub(crate) fn create(folder: &Path, key: [u8; 32], commit: u64) -> Result<Self, KvError> {
        let path = folder.join(FILE_NAME);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| KvError::from_io("making the watermark", folder, error))?;
        let watermark = Self {
            file,
            path,
            key,
            commit,
        };
        for slot in 0..2 {
            watermark.write_slot(slot)?;
        }
        watermark
            .file
            .sync_all()
            .map_err(|error| watermark.io("syncing the watermark", error))?;
        Ok(watermark)
    }

    /// Opens the file. `None` when there is none; an error when neither slot is whole.
    pub(crate) fn open(folder: &Path, key: [u8; 32]) -> Result<Option<Self>, KvError> {
        let path = folder.join(FILE_NAME);
        let file = match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(KvError::from_io("opening the watermark", folder, error)),
        };
        let mut watermark = Self {
            file,
            path,
            key,
            commit: 0,
        };
        let known = [watermark.read_slot(0)?, watermark.read_slot(1)?];
        watermark.commit = known
            .into_iter()
            .flatten()
            .max()
            .ok_or_else(|| KvError::Corrupt("its watermark is unreadable".into()))?;
        Ok(Some(watermark))
    }

    /// The last acknowledged commit.
    pub(crate) fn commit(&self) -> u64 {
        self.commit
    }

    /// Writes that `commit` is durable; itself durable on return.
    pub(crate) fn advance(&mut self, commit: u64) -> Result<(), KvError> {
        self.commit = commit;
        self.write_slot(commit % 2)?;
        self.file
            .sync_data()
            .map_err(|error| self.io("syncing the watermark", error))
    }

    fn write_slot(&self, slot: u64) -> Result<(), KvError> {
        let mut bytes = [0; SLOT_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..16].copy_from_slice(&self.commit.to_be_bytes());
        let mac = self.mac(&bytes[..SIGNED_BYTES]).finalize().into_bytes();
        bytes[SIGNED_BYTES..].copy_from_slice(&mac);
        self.file
            .write_all_at(&bytes, slot * SLOT_BYTES as u64)
            .map_err(|error| self.io("writing the watermark", error))
    }

    /// The commit a slot names, or none when its MAC does not match.
    fn read_slot(&self, slot: u64) -> Result<Option<u64>, KvError> {
        let mut bytes = [0; SLOT_BYTES];
        match self
            .file
            .read_exact_at(&mut bytes, slot * SLOT_BYTES as u64)
        {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(self.io("reading the watermark", error)),
        }
        let genuine = bytes[..8] == MAGIC
            && self
                .mac(&bytes[..SIGNED_BYTES])
                .verify_slice(&bytes[SIGNED_BYTES..])
                .is_ok();
        let mut commit = [0; 8];
        commit.copy_from_slice(&bytes[8..16]);
        Ok(genuine.then(|| u64::from_be_bytes(commit)))
    }

    fn mac(&self, bytes: &[u8]) -> Hmac<Sha256> {
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.key)
            .expect("HMAC takes a key of any length");
        mac.chain_update(bytes)
    }

    fn io(&self, doing: &'static str, error: std::io::Error) -> KvError {
        KvError::from_io(doing, &self.path, error)
    }
}
