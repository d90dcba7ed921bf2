// SPDX-License-Identifier: MIT OR Apache-2.0
//! How the store's key is had: from a passphrase, the desktop's keyring, or a file.

use comptoir_store::{Access, Keyring};
use zeroize::Zeroizing;

/// What unlocks the store, or locks a new one.
#[derive(Clone)]
pub enum Unlock {
    /// A passphrase, stretched with Argon2id.
    Passphrase {
        /// The passphrase, without a line end.
        passphrase: Zeroizing<String>,
        /// Whether it was read from a file; only told in `status`.
        from_file: bool,
    },
    /// The keyring of the desktop.
    Keyring,
    /// A file beside the store, readable by its user only: whoever copies the disk can read everything.
    KeyFile,
}

impl std::fmt::Debug for Unlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Passphrase {
                passphrase: _,
                from_file: _,
            } => "Passphrase(..)",
            Self::Keyring => "Keyring",
            Self::KeyFile => "KeyFile",
        })
    }
}

impl Unlock {
    /// A passphrase that was typed or piped in.
    pub fn passphrase(passphrase: impl Into<String>) -> Self {
        Self::Passphrase {
            passphrase: Zeroizing::new(passphrase.into()),
            from_file: false,
        }
    }

    /// The same as the store wants it.
    pub(crate) fn access(&self) -> Access<'_> {
        match self {
            Self::Passphrase {
                passphrase,
                from_file: _,
            } => Access::Passphrase(passphrase.as_bytes()),
            Self::Keyring => Access::Keyring(&Desktop),
            Self::KeyFile => Access::KeyFile,
        }
    }
}

/// The desktop's keyring, through the secret service.
struct Desktop;

/// Under this name entries of ours stand in the keyring.
const SERVICE: &str = "comptoir";

impl Keyring for Desktop {
    fn read(&self, entry: &str) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
        match open(entry)?.get_secret() {
            Ok(secret) => Ok(Some(Zeroizing::new(secret))),
            Err(keyring::Error::NoEntry) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    fn write(&self, entry: &str, secret: &[u8]) -> Result<(), String> {
        open(entry)?
            .set_secret(secret)
            .map_err(|error| error.to_string())
    }
}

/// The store behind the keyring is looked for once; why it was not found is what helps.
fn open(entry: &str) -> Result<keyring::Entry, String> {
    if let Err(error) = keyring::Entry::store_status() {
        return Err(format!(
            "no desktop keyring answers here ({error}); --passphrase-file or --no-passphrase need none"
        ));
    }
    keyring::Entry::new(SERVICE, entry).map_err(|error| error.to_string())
}
