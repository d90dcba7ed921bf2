// SPDX-License-Identifier: MIT OR Apache-2.0
//! The lock of a store.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use comptoir_crypto::at_rest::UnlockError;
use zeroize::Zeroizing;

use super::rng;
use crate::unlock::{create, lock, method, unlock};
use crate::{Access, Keyring, Method, StoreError};

#[derive(Default)]
struct Ring(RefCell<BTreeMap<String, Vec<u8>>>);

impl Keyring for Ring {
    fn read(&self, entry: &str) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
        Ok(self.0.borrow().get(entry).cloned().map(Zeroizing::new))
    }

    fn write(&self, entry: &str, secret: &[u8]) -> Result<(), String> {
        self.0
            .borrow_mut()
            .insert(entry.to_owned(), secret.to_vec());
        Ok(())
    }
}

#[test]
fn each_method_gives_the_same_key_back() {
    let ring = Ring::default();
    for access in [
        Access::Passphrase(b"correct horse"),
        Access::Keyring(&ring),
        Access::KeyFile,
    ] {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(method(folder.path()).unwrap(), None);
        assert!(unlock(folder.path(), &access).unwrap().is_none());
        let key = create(folder.path(), &access, &mut rng()).unwrap();
        assert_eq!(method(folder.path()).unwrap(), Some(access.method()));
        let again = unlock(folder.path(), &access).unwrap().unwrap();
        assert_eq!(*again.to_bytes(), *key.to_bytes());
        for entry in fs::read_dir(folder.path()).unwrap() {
            assert_eq!(
                entry.unwrap().metadata().unwrap().permissions().mode() & 0o777,
                0o600
            );
        }
    }
}

#[test]
fn a_wrong_passphrase_opens_nothing() {
    let folder = tempfile::tempdir().unwrap();
    create(folder.path(), &Access::Passphrase(b"right"), &mut rng()).unwrap();
    let wrong = unlock(folder.path(), &Access::Passphrase(b"wrong"));
    assert!(matches!(
        wrong,
        Err(StoreError::Unlock(UnlockError::WrongPassphrase))
    ));
    let other = unlock(folder.path(), &Access::KeyFile)
        .map(drop)
        .unwrap_err();
    assert_eq!(
        other.to_string(),
        "this store is unlocked by a passphrase, not by a key file"
    );
}

#[test]
fn the_method_changes_and_the_key_stays() {
    let folder = tempfile::tempdir().unwrap();
    let key = create(folder.path(), &Access::KeyFile, &mut rng()).unwrap();
    lock(folder.path(), &key, &Access::Passphrase(b"new"), &mut rng()).unwrap();
    assert!(!folder.path().join("store.key").exists());
    assert_eq!(
        *unlock(folder.path(), &Access::Passphrase(b"new"))
            .unwrap()
            .unwrap()
            .to_bytes(),
        *key.to_bytes()
    );
    lock(
        folder.path(),
        &key,
        &Access::Passphrase(b"newer"),
        &mut rng(),
    )
    .unwrap();
    assert!(unlock(folder.path(), &Access::Passphrase(b"new")).is_err());
    lock(folder.path(), &key, &Access::KeyFile, &mut rng()).unwrap();
    assert_eq!(method(folder.path()).unwrap(), Some(Method::KeyFile));
}

#[test]
fn a_key_file_that_others_may_read_or_that_is_no_key_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    create(folder.path(), &Access::KeyFile, &mut rng()).unwrap();
    let path = folder.path().join("store.key");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let error = unlock(folder.path(), &Access::KeyFile)
        .map(drop)
        .unwrap_err();
    assert!(
        matches!(error, StoreError::KeyFileOpen { mode: 0o640, .. }),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .ends_with("make it private with chmod 600"),
        "{error}"
    );
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&path, [1; 31]).unwrap();
    assert!(matches!(
        unlock(folder.path(), &Access::KeyFile),
        Err(StoreError::KeyFile(_))
    ));
    fs::remove_file(&path).unwrap();
    assert!(matches!(
        unlock(folder.path(), &Access::KeyFile),
        Err(StoreError::KeyFile(_))
    ));
}

#[test]
fn a_damaged_lock_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    create(folder.path(), &Access::Passphrase(b"right"), &mut rng()).unwrap();
    let path = folder.path().join("unlock");
    let whole = fs::read(&path).unwrap();
    for cut in [0, 1, 2, 10, whole.len() - 1] {
        fs::write(&path, &whole[..cut]).unwrap();
        assert!(
            unlock(folder.path(), &Access::Passphrase(b"right")).is_err(),
            "cut at {cut}"
        );
    }
    let mut unknown = whole;
    unknown[2] = 99;
    fs::write(&path, &unknown).unwrap();
    let error = unlock(folder.path(), &Access::Passphrase(b"right"))
        .map(drop)
        .unwrap_err();
    assert!(matches!(error, StoreError::Corrupt(_)), "{error}");
}

#[test]
fn a_keyring_without_the_entry_says_so() {
    let folder = tempfile::tempdir().unwrap();
    create(
        folder.path(),
        &Access::Keyring(&Ring::default()),
        &mut rng(),
    )
    .unwrap();
    let error = unlock(folder.path(), &Access::Keyring(&Ring::default()))
        .map(drop)
        .unwrap_err();
    assert!(matches!(error, StoreError::Keyring(_)), "{error}");
}
