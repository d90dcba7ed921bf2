// SPDX-License-Identifier: MIT OR Apache-2.0
//! The search: what must not be readable, looked for in recorded bytes and in files.

use std::path::{Path, PathBuf};

use comptoir_tests::Person;
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};

/// Something that must not be found, in one of the forms it could be written in.
#[derive(Debug, Clone)]
pub(crate) struct Secret {
    /// What it is, and in which form.
    pub(crate) what: String,
    bytes: Vec<u8>,
}

/// Words, as they are.
pub(crate) fn words(what: &str, text: &str) -> Secret {
    Secret {
        what: what.to_owned(),
        bytes: text.as_bytes().to_vec(),
    }
}

/// An id given in hex, in every form.
pub(crate) fn id(what: &str, hex: &str) -> Vec<Secret> {
    let raw = HEXLOWER.decode(hex.as_bytes()).unwrap();
    assert_eq!(raw.len(), 32, "{what}: {hex}");
    let form = |form: &str, bytes: Vec<u8>| Secret {
        what: format!("{what}, {form}"),
        bytes,
    };
    vec![
        form("hex", HEXLOWER.encode(&raw).into_bytes()),
        form("upper hex", HEXUPPER.encode(&raw).into_bytes()),
        form("base64", BASE64.encode(&raw)[..42].into()),
        form("base64url", BASE64URL_NOPAD.encode(&raw)[..42].into()),
        form("raw", raw),
    ]
}

/// A person's account and the device that wrote the messages, as their own node names them.
pub(crate) fn ids_of(person: &Person, with: &str) -> Vec<Secret> {
    let personas = person.must(&["personas"]);
    let mut all = id(
        &format!("{}'s account", person.name),
        personas[0][0]["account"].as_str().unwrap(),
    );
    let mut devices: Vec<String> = person
        .must(&["history", with])
        .iter()
        .filter_map(|message| Some(message["id"].as_str()?.split('-').nth(1)?.to_owned()))
        .collect();
    devices.sort();
    devices.dedup();
    assert_eq!(devices.len(), 2, "both have written: {devices:?}");
    all.extend(devices.iter().flat_map(|device| id("a device", device)));
    all
}

/// Those that occur in `bytes`.
pub(crate) fn found<'s>(secrets: &'s [Secret], bytes: &[u8]) -> Vec<&'s str> {
    let occurs = |secret: &&Secret| {
        bytes
            .windows(secret.bytes.len())
            .any(|window| window == secret.bytes)
    };
    secrets
        .iter()
        .filter(occurs)
        .map(|secret| secret.what.as_str())
        .collect()
}

/// All files below a folder, and all folders.
pub(crate) fn below(folder: &Path) -> Vec<PathBuf> {
    let mut all = vec![folder.to_path_buf()];
    let mut next = 0;
    while next < all.len() {
        if all[next].is_dir() {
            let inside = std::fs::read_dir(&all[next]).unwrap();
            all.extend(inside.map(|entry| entry.unwrap().path()));
        }
        next += 1;
    }
    all
}

/// Fails if a file below `folder` shows a secret; says how many bytes were looked at.
pub(crate) fn nothing_below(folder: &Path, secrets: &[Secret]) -> usize {
    let mut looked_at = 0;
    for file in below(folder).iter().filter(|path| path.is_file()) {
        let bytes = std::fs::read(file).unwrap();
        looked_at += bytes.len();
        assert_eq!(
            found(secrets, &bytes),
            Vec::<&str>::new(),
            "in {}",
            file.display()
        );
    }
    looked_at
}

#[test]
fn the_search_finds_every_form() {
    let raw = [0xa5; 32];
    let secrets = id("an id", &HEXLOWER.encode(&raw));
    for bytes in [
        [&[1, 2], &raw[..]].concat(),
        HEXLOWER.encode(&raw).into_bytes(),
        HEXUPPER.encode(&raw).into_bytes(),
        BASE64.encode(&raw).into_bytes(),
        BASE64URL_NOPAD.encode(&raw).into_bytes(),
    ] {
        assert!(!found(&secrets, &bytes).is_empty());
    }
    assert!(found(&secrets, &[0xa5; 31]).is_empty());
}
