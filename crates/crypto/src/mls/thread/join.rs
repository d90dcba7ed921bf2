// SPDX-License-Identifier: MIT OR Apache-2.0
//! Joining: from a Welcome and the private half of the key package it names.

use openmls::group::{MlsGroup, StagedWelcome};
use openmls::prelude::{MlsMessageBodyIn, MlsMessageIn, Welcome};
use openmls::treesync::LeafNodeSource;
use tls_codec::Deserialize as _;

use super::{Member, MlsThread, RowBytes, join_config};
use crate::mls::crypto::StepCrypto;
use crate::mls::error::JoinError;
use crate::mls::leaf::{self, credential_hash};
use crate::mls::package::{KeyPackageError, KeyPackageSecret, unlimited};
use crate::mls::provider::Provider;
use crate::mls::record::KnownLeaves;
use crate::mls::rules::{devices_once, read_context};
use crate::mls::storage::Overlay;

/// A thread that was joined.
#[derive(Debug)]
pub struct Joined {
    /// The thread.
    pub thread: MlsThread,
    /// Who sent the Welcome: check that it is who was expected.
    pub inviter: Member,
}

impl MlsThread {
    /// The names of the key packages that a Welcome is for; none if it is no Welcome.
    pub fn welcome_references(welcome: &[u8]) -> Vec<[u8; 32]> {
        let Some(welcome) = read_welcome(welcome) else {
            return Vec::new();
        };
        welcome
            .secrets()
            .iter()
            .filter_map(|secrets| secrets.new_member().as_slice().try_into().ok())
            .collect()
    }

    /// Joins. Every member's leaf is proved; `package` stays usable, for a Welcome to the branch that wins.
    pub fn join(welcome: &[u8], package: &KeyPackageSecret) -> Result<Joined, JoinError> {
        let failed = |e: &dyn std::fmt::Display| JoinError::Mls(e.to_string());
        if !Self::welcome_references(welcome).contains(&package.reference()) {
            return Err(JoinError::OtherPackage);
        }
        let welcome = read_welcome(welcome).ok_or(JoinError::Malformed)?;
        let overlay = Overlay::from_slots(package.slots.0.clone());
        let crypto = StepCrypto::reading();
        let provider = Provider::new(&crypto, &overlay);
        // OpenMLS would hold the members' lifetimes against the clock; ours are unlimited, and checked to be below.
        let staged = StagedWelcome::build_from_welcome(&provider, &join_config(), welcome)
            .map_err(|e| failed(&e))?
            .skip_lifetime_validation()
            .build()
            .map_err(|e| failed(&e))?;
        let inviter_index = staged.welcome_sender_index();
        let group = staged.into_group(&provider).map_err(|e| failed(&e))?;
        overlay.forget_packages();
        let context = read_context(group.extensions())?;
        if group.group_id().as_slice() != context.group_id() {
            return Err(JoinError::OtherThread);
        }
        let known = inhabitants(&group)?;
        let leaf_key = package.leaf_key.clone();
        let thread = Self {
            group,
            overlay,
            leaf_key,
            context,
            known,
            sent: false,
            spoilt: false,
            row_bytes: RowBytes::default(),
        };
        let members = thread.members();
        devices_once(members.iter().map(|member| (member.account, member.device)))?;
        let inviter = members
            .into_iter()
            .find(|member| member.leaf_index == inviter_index.u32())
            .ok_or(JoinError::Malformed)?;
        Ok(Joined { thread, inviter })
    }
}

/// Proves every leaf of a group that is new to us.
pub(super) fn inhabitants(group: &MlsGroup) -> Result<KnownLeaves, JoinError> {
    let mut known = KnownLeaves::new();
    for member in group.members() {
        let node = group
            .public_group()
            .leaf(member.index)
            .ok_or(JoinError::Malformed)?;
        if let LeafNodeSource::KeyPackage(lifetime) = node.leaf_node_source()
            && *lifetime != unlimited()
        {
            return Err(
                KeyPackageError::Refused("a lifetime that a clock decides".to_owned()).into(),
            );
        }
        known.insert(
            credential_hash(node.credential()),
            leaf::verify_node(node)?.into(),
        );
    }
    Ok(known)
}

fn read_welcome(bytes: &[u8]) -> Option<Welcome> {
    match MlsMessageIn::tls_deserialize_exact(bytes).ok()?.extract() {
        MlsMessageBodyIn::Welcome(welcome) => Some(welcome),
        _ => None,
    }
}
