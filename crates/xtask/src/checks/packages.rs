// SPDX-License-Identifier: MIT OR Apache-2.0
//! The dependencies: where they come from, their licences, bans, twins, exact pins.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{Metadata, Package};

use super::{Findings, licence};
use crate::workspace;

/// Not to be compiled in, whoever asks for it.
const BANNED: &[(&str, &str)] = &[
    (
        "openssl",
        "TLS and hashes come from rustls and the RustCrypto crates; a system library would be a second set",
    ),
    ("openssl-sys", "as openssl"),
    ("native-tls", "as openssl"),
    (
        "libdbus-sys",
        "a C library; the keyring speaks to the bus in Rust",
    ),
    (
        "openmls_rust_crypto",
        "draws its own randomness; ours replays from a seed",
    ),
    ("async-std", "no longer maintained"),
];

/// What touches keys, bytes or money: an update is read before it is taken, so its version is exact.
const PINNED: &[&str] = &[
    "openmls",
    "openmls_traits",
    "tls_codec",
    "hpke",
    "x25519-dalek",
    "ed25519-dalek",
    "chacha20poly1305",
    "sha2",
    "hmac",
    "hkdf",
    "argon2",
    "subtle",
    "zeroize",
    "bip39",
    "rand_core",
    "rand_chacha",
    "getrandom",
    "minicbor",
    "ciborium",
    "bincode",
    "sled",
    "redb",
    "libp2p",
    "libp2p-stream",
];

/// Crates of ours may not meet two versions of these; who else brings an older one, and why it stays.
const TWINS: &[(&str, &str, &str)] = &[
    (
        "chacha20poly1305",
        "0.10.1",
        "snow 0.10: libp2p's Noise handshake",
    ),
    ("sha2", "0.10.9", "snow 0.10: libp2p's Noise handshake"),
    ("getrandom", "0.2.17", "ring 0.17: QUIC's TLS"),
    ("getrandom", "0.3.4", "snow 0.10 and libp2p-noise 0.47"),
];

pub(crate) fn check() -> anyhow::Result<Findings> {
    let metadata = workspace::metadata()?;
    let compiled = workspace::compiled_packages()?;
    let mut findings = Findings::default();
    let packages: Vec<&Package> = metadata
        .packages
        .iter()
        .filter(|package| {
            compiled.contains(&(package.name.to_string(), package.version.to_string()))
        })
        .collect();
    if packages.len() < metadata.workspace_packages().len() {
        findings.add(
            "cargo tree",
            "named fewer packages than the workspace has: its output was not understood",
        );
    }
    for package in &packages {
        one(package, &mut findings);
    }
    twins(&packages, &mut findings);
    pins(&metadata, &mut findings);
    Ok(findings)
}

fn one(package: &Package, findings: &mut Findings) {
    let name = format!("{} {}", package.name, package.version);
    match &package.source {
        Some(source) if source.is_crates_io() => {}
        Some(source) => findings.add(
            &name,
            &format!("comes from {source}; only the public crate registry is used"),
        ),
        None if package
            .manifest_path
            .starts_with(workspace::root().to_string_lossy().as_ref()) => {}
        None => findings.add(&name, "comes from a folder outside the checkout"),
    }
    match package.license.as_deref().map(licence::is_allowed) {
        Some(Ok(true)) => {}
        Some(Ok(false)) => findings.add(
            &name,
            &format!("licence {:?} is not allowed", package.license),
        ),
        Some(Err(error)) => findings.add(&name, &format!("licence {:?}: {error}", package.license)),
        None => findings.add(&name, "names no licence"),
    }
    for (banned, why) in BANNED
        .iter()
        .filter(|(banned, _)| *banned == package.name.as_str())
    {
        findings.add(banned, &format!("is banned: {why}"));
    }
}

fn twins(packages: &[&Package], findings: &mut Findings) {
    let mut versions: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for package in packages {
        versions
            .entry(&package.name)
            .or_default()
            .insert(package.version.to_string());
    }
    for name in PINNED {
        let found = versions.get(name).cloned().unwrap_or_default();
        let listed: BTreeSet<String> = TWINS
            .iter()
            .filter(|(twin, _, _)| twin == name)
            .map(|(_, version, _)| (*version).to_owned())
            .collect();
        for stale in listed.difference(&found) {
            findings.add(
                name,
                &format!("twin {stale} is listed but no longer there: take it off the list"),
            );
        }
        let unlisted: Vec<String> = found.difference(&listed).cloned().collect();
        if unlisted.len() > 1 {
            findings.add(
                name,
                &format!(
                    "is there in versions {unlisted:?}: list a twin with its reason, or remove it"
                ),
            );
        }
    }
}

fn pins(metadata: &Metadata, findings: &mut Findings) {
    for package in metadata.workspace_packages() {
        for dependency in &package.dependencies {
            let name = dependency.name.as_str();
            let exact = dependency.req.to_string().starts_with('=');
            if PINNED.contains(&name) && !exact {
                findings.add(
                    &package.name,
                    &format!("{name} {} must be pinned with `=`", dependency.req),
                );
            }
        }
    }
}
