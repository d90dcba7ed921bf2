// SPDX-License-Identifier: MIT OR Apache-2.0
//! The lock of a store: where its root key is kept, and how it is had back.
//!
//! ```text
//! unlock        which method, and what the method needs: the root key locked by a passphrase, or a keyring's entry
//! store.key     the root key itself, mode 0600; only without a passphrase
//! ```

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use comptoir_crypto::at_rest::{PassphraseCost, RootStoreKey};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::records::UnlockV1;
use crate::{StoreError, codec};

const UNLOCK_FILE: &str = "unlock";
const KEY_FILE: &str = "store.key";

/// How a store's root key is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Locked by a passphrase that only its owner knows.
    Passphrase,
    /// In the keyring of the operating system.
    Keyring,
    /// In a file beside the store. Whoever copies the folder can read everything.
    KeyFile,
}

impl Method {
    /// What it is called in a sentence.
    pub fn name(self) -> &'static str {
        match self {
            Self::Passphrase => "a passphrase",
            Self::Keyring => "the keyring",
            Self::KeyFile => "a key file",
        }
    }

    /// Its number on disk; never reused.
    fn number(self) -> u8 {
        match self {
            Self::Passphrase => 1,
            Self::Keyring => 2,
            Self::KeyFile => 3,
        }
    }

    fn from_number(number: u8) -> Option<Self> {
        [Self::Passphrase, Self::Keyring, Self::KeyFile]
            .into_iter()
            .find(|method| method.number() == number)
    }
}

/// A place of the operating system that keeps secrets, by the name of an entry.
pub trait Keyring {
    /// Reads an entry; none when there is none.
    fn read(&self, entry: &str) -> Result<Option<Zeroizing<Vec<u8>>>, String>;
    /// Writes an entry.
    fn write(&self, entry: &str, secret: &[u8]) -> Result<(), String>;
}

/// What the user offers to unlock a store, or to lock a new one with.
pub enum Access<'a> {
    /// A passphrase. Trailing line ends are the caller's to remove.
    Passphrase(&'a [u8]),
    /// The keyring.
    Keyring(&'a dyn Keyring),
    /// Nothing: the key lies in a file of mode 0600.
    KeyFile,
}

impl Access<'_> {
    /// The method this is for.
    pub fn method(&self) -> Method {
        match self {
            Self::Passphrase(_) => Method::Passphrase,
            Self::Keyring(_) => Method::Keyring,
            Self::KeyFile => Method::KeyFile,
        }
    }
}

/// How the store in this folder is unlocked; none when there is none yet.
pub fn method(folder: &Path) -> Result<Option<Method>, StoreError> {
    Ok(read_lock(folder)?.map(|(method, _)| method))
}

/// The root key of the store in this folder; none when there is none yet. A passphrase costs some 0.2 s.
pub(crate) fn unlock(
    folder: &Path,
    access: &Access<'_>,
) -> Result<Option<RootStoreKey>, StoreError> {
    let Some((kept, detail)) = read_lock(folder)? else {
        return Ok(None);
    };
    let key = match (kept, access) {
        (Method::Passphrase, Access::Passphrase(passphrase)) => {
            RootStoreKey::unlock(&detail, passphrase)?
        }
        (Method::Keyring, Access::Keyring(keyring)) => {
            let entry = String::from_utf8(detail)
                .map_err(|_| StoreError::Corrupt("the file unlock is damaged".into()))?;
            let secret = keyring.read(&entry).map_err(StoreError::Keyring)?;
            let secret =
                secret.ok_or_else(|| StoreError::Keyring(format!("it has no entry {entry:?}")))?;
            key_from(&secret)
                .ok_or_else(|| StoreError::Keyring(format!("the entry {entry:?} is not a key")))?
        }
        (Method::KeyFile, Access::KeyFile) => read_key_file(folder)?,
        (kept, offered) => {
            return Err(StoreError::Method {
                kept: kept.name(),
                offered: offered.method().name(),
            });
        }
    };
    Ok(Some(key))
}

/// Makes the root key of a new store and puts it away; durable on return.
pub(crate) fn create(
    folder: &Path,
    access: &Access<'_>,
    rng: &mut impl CryptoRng,
) -> Result<RootStoreKey, StoreError> {
    let key = RootStoreKey::random(rng);
    lock(folder, &key, access, rng)?;
    Ok(key)
}

/// Puts the root key away by another method or under another passphrase. Nothing of the store is sealed again.
pub(crate) fn lock(
    folder: &Path,
    key: &RootStoreKey,
    access: &Access<'_>,
    rng: &mut impl CryptoRng,
) -> Result<(), StoreError> {
    let detail = match access {
        Access::Passphrase(passphrase) => key.lock(passphrase, PassphraseCost::RECOMMENDED, rng)?,
        Access::Keyring(keyring) => {
            let mut name = [0; 8];
            rng.fill_bytes(&mut name);
            let entry = format!("comptoir-{:016x}", u64::from_be_bytes(name));
            keyring
                .write(&entry, key.to_bytes().as_ref())
                .map_err(StoreError::Keyring)?;
            entry.into_bytes()
        }
        Access::KeyFile => {
            replace_file(folder, KEY_FILE, key.to_bytes().as_ref())?;
            Vec::new()
        }
    };
    let record = UnlockV1 {
        method: access.method().number(),
        detail,
    };
    let bytes = codec::encode(&record)
        .ok_or_else(|| StoreError::Refused("the file unlock is too long".into()))?;
    replace_file(folder, UNLOCK_FILE, &bytes)?;
    if access.method() != Method::KeyFile {
        remove_key_file(folder)?;
    }
    Ok(())
}

fn read_lock(folder: &Path) -> Result<Option<(Method, Vec<u8>)>, StoreError> {
    let bytes = match fs::read(folder.join(UNLOCK_FILE)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::io("reading how the store is unlocked")(error)),
    };
    let UnlockV1 { method, detail } = codec::decode(&bytes)?;
    let method = Method::from_number(method).ok_or_else(|| {
        StoreError::Corrupt(format!(
            "it is unlocked by a method {method} this program does not know"
        ))
    })?;
    Ok(Some((method, detail)))
}

fn read_key_file(folder: &Path) -> Result<RootStoreKey, StoreError> {
    let path = folder.join(KEY_FILE);
    let Ok(metadata) = fs::metadata(&path) else {
        return Err(StoreError::KeyFile(path));
    };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(StoreError::KeyFileOpen { path, mode });
    }
    let bytes = Zeroizing::new(fs::read(&path).map_err(StoreError::io("reading the key file"))?);
    key_from(&bytes).ok_or(StoreError::KeyFile(path))
}

fn key_from(bytes: &[u8]) -> Option<RootStoreKey> {
    <[u8; 32]>::try_from(bytes)
        .ok()
        .map(RootStoreKey::from_bytes)
}

/// Overwrites the key before the file goes. On a disk that moves what it rewrites an old copy may remain; a key that
/// ever lay in a file should be thought of as readable by whoever had the disk.
fn remove_key_file(folder: &Path) -> Result<(), StoreError> {
    let path = folder.join(KEY_FILE);
    if !path.exists() {
        return Ok(());
    }
    let erased = OpenOptions::new()
        .write(true)
        .open(&path)
        .and_then(|mut file| {
            file.write_all(&[0; 32])?;
            file.sync_all()
        });
    erased
        .and_then(|()| fs::remove_file(&path))
        .map_err(StoreError::io("removing the key file"))
}

/// Writes a private file so that a crash leaves the old one or the new one.
fn replace_file(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
    let temporary = folder.join(format!("{name}.new"));
    let _ = fs::remove_file(&temporary);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&temporary, folder.join(name)))
        .and_then(|()| fs::File::open(folder)?.sync_all());
    written.map_err(StoreError::io("writing how the store is unlocked"))
}
