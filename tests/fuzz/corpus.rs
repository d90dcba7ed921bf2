// SPDX-License-Identifier: MIT OR Apache-2.0
//! The corpus: every released value as bytes, by its type, and what can be built from them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Every vector, by type.
#[derive(Debug)]
pub(crate) struct Corpus {
    by_type: BTreeMap<String, Vec<Vec<u8>>>,
    /// All of them, to splice from.
    pub(crate) everything: Vec<Vec<u8>>,
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

impl Corpus {
    pub(crate) fn read() -> Self {
        let mut by_type: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
        for file in ["identity", "contact", "thread", "frame", "body"] {
            let text = std::fs::read(folder("vectors").join(format!("{file}.json"))).unwrap();
            let all: Vec<Value> = serde_json::from_slice(&text).unwrap();
            for value in all {
                let bytes = HEXLOWER
                    .decode(value["hex"].as_str().unwrap().as_bytes())
                    .unwrap();
                let name = value["type"].as_str().unwrap().to_owned();
                by_type.entry(name).or_default().push(bytes);
            }
        }
        let everything = by_type.values().flatten().cloned().collect();
        Self {
            by_type,
            everything,
        }
    }

    /// The values of a type.
    pub(crate) fn of(&self, name: &str) -> Vec<Vec<u8>> {
        self.by_type
            .get(name)
            .unwrap_or_else(|| panic!("no vector of {name}"))
            .clone()
    }

    /// What once broke a target.
    pub(crate) fn regressions(&self, target: &str) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        for file in std::fs::read_dir(folder("fuzz/regressions")).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if name.split('.').next() == Some(target) {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push(HEXLOWER.decode(text.trim().as_bytes()).unwrap());
            }
        }
        found
    }
}

/// A link around `content`, with the check a link ends with: without it no changed byte would get past the check.
pub(crate) fn link(scheme: &str, content: &[u8]) -> String {
    let check = Sha256::new()
        .chain_update(scheme)
        .chain_update(content)
        .finalize();
    let bytes = [content, &check[..2]].concat();
    format!("{scheme}{}", BASE64URL_NOPAD.encode(&bytes))
}
