// SPDX-License-Identifier: MIT OR Apache-2.0
//! Frozen folders of each engine: what a released version wrote must open for ever.
//!
//! A fixture is text, since most of a database file is zero: `file NAME LENGTH`, then `OFFSET HEX` for each block of 64
//! bytes that is not.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::{EngineKind, Kv, check_numbered, numbered, opened, put};

const BLOCK: usize = 64;

fn fixture(engine: EngineKind) -> PathBuf {
    let name = format!("../../tests/fixtures/kv/{engine}-1.files");
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn fill(store: &dyn Kv) {
    (0..8).for_each(|number| store.commit(&numbered(number)).unwrap());
    store.commit(&put(b"large", &vec![3; 9_000])).unwrap();
}

fn freeze(folder: &Path, below: &Path, text: &mut String) {
    let mut entries: Vec<_> = fs::read_dir(below)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            freeze(folder, &path, text);
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        writeln!(
            text,
            "file {} {}",
            path.strip_prefix(folder).unwrap().display(),
            bytes.len()
        )
        .unwrap();
        for (number, block) in bytes.chunks(BLOCK).enumerate() {
            if block.iter().any(|byte| *byte != 0) {
                let hex: String = block.iter().map(|byte| format!("{byte:02x}")).collect();
                writeln!(text, "{} {hex}", number * BLOCK).unwrap();
            }
        }
    }
}

fn thaw(text: &str, folder: &Path) {
    let mut file = None;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if let Some(rest) = line.strip_prefix("file ") {
            let (name, length) = rest.split_once(' ').unwrap();
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let made = fs::File::create(path).unwrap();
            made.set_len(length.parse().unwrap()).unwrap();
            file = Some(made);
        } else {
            let (offset, hex) = line.split_once(' ').unwrap();
            let bytes: Vec<u8> = (0..hex.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
                .collect();
            file.as_ref()
                .unwrap()
                .write_all_at(&bytes, offset.parse().unwrap())
                .unwrap();
        }
    }
}

/// How the fixtures were made. Kept so that the next ones are made alike; never run again for these.
#[test]
#[ignore = "writes the frozen fixtures"]
fn write_fixtures() {
    for engine in EngineKind::ON_DISK {
        let folder = tempfile::tempdir().unwrap();
        fill(opened(folder.path(), engine).as_ref());
        let mut text = format!(
            "# A folder of {engine}, format 1: 8 numbered commits and one large value. Frozen.\n"
        );
        freeze(folder.path(), folder.path(), &mut text);
        fs::create_dir_all(fixture(engine).parent().unwrap()).unwrap();
        fs::write(fixture(engine), text).unwrap();
    }
}

#[test]
fn a_folder_of_format_1_opens() {
    for engine in EngineKind::ON_DISK {
        let folder = tempfile::tempdir().unwrap();
        thaw(&fs::read_to_string(fixture(engine)).unwrap(), folder.path());
        let store = opened(folder.path(), EngineKind::Sled);
        assert_eq!(store.stats().unwrap().engine, engine);
        assert_eq!(store.stats().unwrap().commits, 9);
        check_numbered(store.as_ref(), 8).unwrap();
        assert_eq!(store.get(b"large").unwrap().unwrap(), vec![3; 9_000]);
    }
}
