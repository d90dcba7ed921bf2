// SPDX-License-Identifier: MIT OR Apache-2.0
//! The vectors: every sample's bytes in `tests/vectors`, with a comment for each field, for other implementations and
//! for the day a change here would silently change bytes. `UPDATE_VECTORS=1` writes them anew.

use std::path::PathBuf;

use data_encoding::HEXLOWER;
use serde_json::{Value, json};

use super::sources::Sources;
use super::*;

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/vectors")
        .join(format!("{name}.json"))
}

/// The fields of the map at the start of `bytes`, each with its own bytes.
fn split_map(bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let count = bytes[0] & 0x1f;
    assert!(bytes[0] >> 5 == 5 && count < 24, "a map of few fields");
    let mut rest = &bytes[1..];
    let mut fields = Vec::new();
    for _ in 0..count {
        let mut reader = Reader::new(rest);
        let number = reader.unsigned().unwrap();
        let start = rest.len() - reader.remaining();
        reader.skip_value().unwrap();
        let end = rest.len() - reader.remaining();
        fields.push((number, rest[start..end].to_vec()));
        rest = &rest[end..];
    }
    assert!(rest.is_empty());
    fields
}

fn describe_map(sources: &Sources, owner: &str, bytes: &[u8]) -> Vec<Value> {
    let describe = |(number, bytes): (u64, Vec<u8>)| {
        let (name, comment) = sources.field(owner, number);
        json!({ "field": number, "name": name, "hex": HEXLOWER.encode(&bytes), "comment": comment })
    };
    split_map(bytes).into_iter().map(describe).collect()
}

fn describe_signed(bytes: &[u8]) -> Vec<Value> {
    const PARTS: [(&str, &str); 4] = [
        ("version", "The kind's version under the signature."),
        ("payload", "The statement's bytes as signed."),
        ("signer", "The Ed25519 key that signed."),
        (
            "signature",
            "Over the array [\"comptoir\", label, version, payload].",
        ),
    ];
    assert_eq!(bytes[0], 0x84);
    let mut rest = &bytes[1..];
    let describe = |(name, comment): (&str, &str)| {
        let mut reader = Reader::new(rest);
        reader.skip_value().unwrap();
        let end = rest.len() - reader.remaining();
        let part =
            json!({ "name": name, "hex": HEXLOWER.encode(&rest[..end]), "comment": comment });
        rest = &rest[end..];
        part
    };
    PARTS.into_iter().map(describe).collect()
}

fn describe_choice(sources: &Sources, owner: &str, bytes: &[u8]) -> Vec<Value> {
    let number = u64::from(bytes[1]);
    assert!(number < 24);
    let (variant, comment) = sources.variant(owner, number).unwrap();
    let mut parts = vec![json!({ "choice": number, "name": variant, "comment": comment })];
    let content = &bytes[2..];
    if content.first().is_some_and(|byte| byte >> 5 == 5)
        && sources.has_fields(&format!("{owner}.{variant}"))
    {
        parts.extend(describe_map(
            sources,
            &format!("{owner}.{variant}"),
            content,
        ));
    } else if !content.is_empty() {
        parts.push(json!({ "name": "content", "hex": HEXLOWER.encode(content), "comment": "The value itself." }));
    }
    parts
}

fn describe(sources: &Sources, sample: &Sample) -> Value {
    let bytes = &sample.bytes;
    let fields = if sample.name.starts_with("Signed<") {
        describe_signed(bytes)
    } else if bytes[0] >> 5 == 4 {
        describe_choice(sources, sample.name, bytes)
    } else {
        describe_map(sources, sample.name, bytes)
    };
    json!({ "type": sample.name, "hex": HEXLOWER.encode(bytes), "fields": fields })
}

///
#[test]
fn every_sample_has_the_bytes_of_its_vector_and_every_vector_reads_back() {
    let sources = Sources::read();
    for (name, samples) in all() {
        let described: Vec<Value> = samples
            .iter()
            .map(|sample| describe(&sources, sample))
            .collect();
        if std::env::var_os("UPDATE_VECTORS").is_some() {
            let text = serde_json::to_string_pretty(&described).unwrap() + "\n";
            std::fs::create_dir_all(path(name).parent().unwrap()).unwrap();
            std::fs::write(path(name), text).unwrap();
        }
        let kept: Vec<Value> =
            serde_json::from_str(&std::fs::read_to_string(path(name)).unwrap()).unwrap();
        assert_eq!(kept.len(), samples.len(), "{name}.json");
        for (sample, kept) in samples.iter().zip(kept) {
            let bytes = HEXLOWER
                .decode(kept["hex"].as_str().unwrap().as_bytes())
                .unwrap();
            assert_eq!(kept["type"], sample.name, "{name}.json");
            assert_eq!(
                HEXLOWER.encode(&sample.bytes),
                kept["hex"],
                "{}: written now and kept",
                sample.name
            );
            assert_eq!(
                (sample.again)(&bytes).as_ref(),
                Ok(&bytes),
                "{}: the kept bytes read back",
                sample.name
            );
        }
    }
}
