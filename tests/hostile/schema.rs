// SPDX-License-Identifier: MIT OR Apache-2.0
//! A home that a newer program wrote: refused by the binary in a sentence, and left as it is.

use std::path::Path;
use std::process::{Command, Stdio};

use comptoir_crypto::at_rest::RootStoreKey;
use comptoir_kv::{Batch, EngineKind, Kv, Options, Row};
use comptoir_store::SCHEMA;
use comptoir_tests::{Person, binary, section};

use crate::outcome;

/// The row that says what the store is: `version kind schema migrating_to …`, numbers of 4 bytes.
const HEADER: [u8; 1] = [0xe0];
const SCHEMA_AT: usize = 2;
const MIGRATING_TO_AT: usize = 6;

/// Opens the rows of a home whose key lies in a file, below everything that knows a schema.
fn rows(home: &Path) -> std::sync::Arc<dyn Kv> {
    let folder = home.join("store");
    let key = std::fs::read(folder.join("store.key")).unwrap();
    let key = RootStoreKey::from_bytes(key.try_into().unwrap());
    let mut options = Options::new(folder, EngineKind::Sled);
    options.watermark_key = *key.subkey("watermark");
    comptoir_kv::open(&options).unwrap()
}

fn all(home: &Path) -> (Vec<Row>, u64) {
    let kv = rows(home);
    let rows = kv.scan(&[], None, false, usize::MAX).unwrap();
    (rows, kv.stats().unwrap().commits)
}

/// Writes another number over the one that stands in the header.
fn say_schema(home: &Path, at: usize, from: u32, to: u32) {
    let kv = rows(home);
    let mut header = kv.get(&HEADER).unwrap().unwrap();
    let number = &mut header[at..at + 4];
    assert_eq!(u32::from_le_bytes((&*number).try_into().unwrap()), from);
    number.copy_from_slice(&to.to_le_bytes());
    kv.commit(&Batch::from([(HEADER.to_vec(), Some(header))]))
        .unwrap();
}

fn is_refused(home: &Path) {
    let mut command = Command::new(binary());
    command
        .arg("--home")
        .arg(home)
        .args(["up", "--listen", "none"]);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let (status, talk) = outcome(&output);
    let newer = SCHEMA + 1;
    let sentence = format!(
        "the store has schema {newer}, this program knows up to {SCHEMA}: use the newer version again"
    );
    assert_eq!(status, Some(1), "{talk}");
    assert!(talk.contains(&sentence), "{talk}");
}

#[test]
fn a_home_of_a_newer_version_is_refused_in_a_sentence_and_left_as_it_is() {
    let world = tempfile::tempdir().unwrap();
    let alice = Person::new(world.path(), "alice");
    let home = alice.home().to_path_buf();
    for at in [SCHEMA_AT, MIGRATING_TO_AT] {
        say_schema(&home, at, SCHEMA, SCHEMA + 1);
        let before = all(&home);
        assert!(before.0.len() > 3, "{}", before.0.len());
        is_refused(&home);
        assert_eq!(all(&home), before);
        say_schema(&home, at, SCHEMA + 1, SCHEMA);
    }
    section("With its own version it opens as before");
    let mut alice = Person::of_home(&home, "alice");
    alice.comes_up();
    assert_eq!(alice.status()["state"], "ready");
}
