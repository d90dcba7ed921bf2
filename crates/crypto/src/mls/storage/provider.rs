// SPDX-License-Identifier: MIT OR Apache-2.0
//! OpenMLS's view of the overlay: some fifty writers, readers and deleters, each naming its kind of entity.

use openmls_traits::storage::{CURRENT_VERSION, StorageProvider, traits};

use super::{Kind, Overlay};
use crate::mls::codec::{self, CodecError};

/// Write, read and delete of an entity a group has one of.
macro_rules! single {
    ($kind:ident: $write:ident, $read:ident $(, $delete:ident)?; $entity:ident) => {
        fn $write<G: traits::GroupId<CURRENT_VERSION>, E: traits::$entity<CURRENT_VERSION>>(
            &self,
            _: &G,
            entity: &E,
        ) -> Result<(), CodecError> {
            self.put(Self::slot(Kind::$kind), entity)
        }

        fn $read<G: traits::GroupId<CURRENT_VERSION>, E: traits::$entity<CURRENT_VERSION>>(
            &self,
            _: &G,
        ) -> Result<Option<E>, CodecError> {
            self.get(&Self::slot(Kind::$kind))
        }

        $(fn $delete<G: traits::GroupId<CURRENT_VERSION>>(&self, _: &G) -> Result<(), CodecError> {
            self.remove(&Self::slot(Kind::$kind))
        })?
    };
}

/// Write, read and delete of an entity that has a key of its own.
macro_rules! keyed {
    ($kind:ident: $write:ident, $read:ident, $delete:ident; $key:ident, $entity:ident) => {
        fn $write<K: traits::$key<CURRENT_VERSION>, E: traits::$entity<CURRENT_VERSION>>(
            &self,
            key: &K,
            entity: &E,
        ) -> Result<(), CodecError> {
            self.put(Self::keyed(Kind::$kind, key)?, entity)
        }

        keyed!(@read $kind, $read; $key, $entity);

        fn $delete<K: traits::$key<CURRENT_VERSION>>(&self, key: &K) -> Result<(), CodecError> {
            self.remove(&Self::keyed(Kind::$kind, key)?)
        }
    };
    // OpenMLS orders the type parameters of two readers the other way round.
    (@read EncryptionKeyPair, $read:ident; $key:ident, $entity:ident) => {
        keyed!(@entity_first EncryptionKeyPair, $read; $key, $entity);
    };
    (@read Psk, $read:ident; $key:ident, $entity:ident) => {
        keyed!(@entity_first Psk, $read; $key, $entity);
    };
    (@read $kind:ident, $read:ident; $key:ident, $entity:ident) => {
        fn $read<K: traits::$key<CURRENT_VERSION>, E: traits::$entity<CURRENT_VERSION>>(
            &self,
            key: &K,
        ) -> Result<Option<E>, CodecError> {
            self.get(&Self::keyed(Kind::$kind, key)?)
        }
    };
    (@entity_first $kind:ident, $read:ident; $key:ident, $entity:ident) => {
        fn $read<E: traits::$entity<CURRENT_VERSION>, K: traits::$key<CURRENT_VERSION>>(
            &self,
            key: &K,
        ) -> Result<Option<E>, CodecError> {
            self.get(&Self::keyed(Kind::$kind, key)?)
        }
    };
}

impl StorageProvider<CURRENT_VERSION> for Overlay {
    type Error = CodecError;

    single!(JoinConfig: write_mls_join_config, mls_group_join_config, delete_group_config; MlsGroupJoinConfig);
    single!(Tree: write_tree, tree, delete_tree; TreeSync);
    single!(InterimTranscriptHash: write_interim_transcript_hash, interim_transcript_hash,
        delete_interim_transcript_hash; InterimTranscriptHash);
    single!(Context: write_context, group_context, delete_context; GroupContext);
    single!(ConfirmationTag: write_confirmation_tag, confirmation_tag, delete_confirmation_tag; ConfirmationTag);
    single!(ResumptionPskStore: write_resumption_psk_store, resumption_psk_store,
        delete_all_resumption_psk_secrets; ResumptionPskStore);
    single!(OwnLeafIndex: write_own_leaf_index, own_leaf_index, delete_own_leaf_index; LeafNodeIndex);
    single!(EpochSecrets: write_group_epoch_secrets, group_epoch_secrets,
        delete_group_epoch_secrets; GroupEpochSecrets);
    keyed!(SignatureKeyPair: write_signature_key_pair, signature_key_pair,
        delete_signature_key_pair; SignaturePublicKey, SignatureKeyPair);
    keyed!(EncryptionKeyPair: write_encryption_key_pair, encryption_key_pair,
        delete_encryption_key_pair; EncryptionKey, HpkeKeyPair);
    keyed!(KeyPackage: write_key_package, key_package, delete_key_package; HashReference, KeyPackage);
    keyed!(Psk: write_psk, psk, delete_psk; PskId, PskBundle);

    fn write_group_state<
        S: traits::GroupState<CURRENT_VERSION>,
        G: traits::GroupId<CURRENT_VERSION>,
    >(
        &self,
        _: &G,
        state: &S,
    ) -> Result<(), CodecError> {
        self.put(Self::slot(Kind::GroupState), state)
    }

    fn group_state<S: traits::GroupState<CURRENT_VERSION>, G: traits::GroupId<CURRENT_VERSION>>(
        &self,
        _: &G,
    ) -> Result<Option<S>, CodecError> {
        self.get(&Self::slot(Kind::GroupState))
    }

    fn delete_group_state<G: traits::GroupId<CURRENT_VERSION>>(
        &self,
        _: &G,
    ) -> Result<(), CodecError> {
        self.remove(&Self::slot(Kind::GroupState))
    }

    /// Noted, and made only when asked for: it is one blob that grows with members and kept epochs.
    fn write_message_secrets<
        G: traits::GroupId<CURRENT_VERSION>,
        S: traits::MessageSecrets<CURRENT_VERSION>,
    >(
        &self,
        _: &G,
        secrets: &S,
    ) -> Result<(), CodecError> {
        self.secrets_changed.set(true);
        if self.encode_secrets.get() {
            let bytes = codec::encode(secrets)?;
            self.slots
                .borrow_mut()
                .insert(Self::slot(Kind::MessageSecrets), bytes);
        }
        Ok(())
    }

    fn message_secrets<
        G: traits::GroupId<CURRENT_VERSION>,
        S: traits::MessageSecrets<CURRENT_VERSION>,
    >(
        &self,
        _: &G,
    ) -> Result<Option<S>, CodecError> {
        self.get(&Self::slot(Kind::MessageSecrets))
    }

    fn delete_message_secrets<G: traits::GroupId<CURRENT_VERSION>>(
        &self,
        _: &G,
    ) -> Result<(), CodecError> {
        self.remove(&Self::slot(Kind::MessageSecrets))
    }

    fn append_own_leaf_node<
        G: traits::GroupId<CURRENT_VERSION>,
        L: traits::LeafNode<CURRENT_VERSION>,
    >(
        &self,
        group: &G,
        leaf_node: &L,
    ) -> Result<(), CodecError> {
        let before: Vec<L> = self.own_leaf_nodes(group)?;
        let all: Vec<&L> = before.iter().chain([leaf_node]).collect();
        self.put(Self::slot(Kind::OwnLeafNodes), &all)
    }

    fn own_leaf_nodes<G: traits::GroupId<CURRENT_VERSION>, L: traits::LeafNode<CURRENT_VERSION>>(
        &self,
        _: &G,
    ) -> Result<Vec<L>, CodecError> {
        Ok(self
            .get(&Self::slot(Kind::OwnLeafNodes))?
            .unwrap_or_default())
    }

    fn delete_own_leaf_nodes<G: traits::GroupId<CURRENT_VERSION>>(
        &self,
        _: &G,
    ) -> Result<(), CodecError> {
        self.remove(&Self::slot(Kind::OwnLeafNodes))
    }

    fn queue_proposal<
        G: traits::GroupId<CURRENT_VERSION>,
        R: traits::ProposalRef<CURRENT_VERSION>,
        P: traits::QueuedProposal<CURRENT_VERSION>,
    >(
        &self,
        group: &G,
        reference: &R,
        proposal: &P,
    ) -> Result<(), CodecError> {
        let before: Vec<R> = self.queued_proposal_refs(group)?;
        let all: Vec<&R> = before.iter().chain([reference]).collect();
        self.put(Self::slot(Kind::ProposalRefs), &all)?;
        self.put(Self::keyed(Kind::Proposal, reference)?, proposal)
    }

    fn queued_proposal_refs<
        G: traits::GroupId<CURRENT_VERSION>,
        R: traits::ProposalRef<CURRENT_VERSION>,
    >(
        &self,
        _: &G,
    ) -> Result<Vec<R>, CodecError> {
        Ok(self
            .get(&Self::slot(Kind::ProposalRefs))?
            .unwrap_or_default())
    }

    fn queued_proposals<
        G: traits::GroupId<CURRENT_VERSION>,
        R: traits::ProposalRef<CURRENT_VERSION>,
        P: traits::QueuedProposal<CURRENT_VERSION>,
    >(
        &self,
        group: &G,
    ) -> Result<Vec<(R, P)>, CodecError> {
        let mut queued = Vec::new();
        for reference in self.queued_proposal_refs::<G, R>(group)? {
            let proposal = self
                .get(&Self::keyed(Kind::Proposal, &reference)?)?
                .ok_or(CodecError::MissingEntity)?;
            queued.push((reference, proposal));
        }
        Ok(queued)
    }

    fn remove_proposal<
        G: traits::GroupId<CURRENT_VERSION>,
        R: traits::ProposalRef<CURRENT_VERSION>,
    >(
        &self,
        group: &G,
        reference: &R,
    ) -> Result<(), CodecError> {
        let gone = Self::keyed(Kind::Proposal, reference)?;
        let mut left = Vec::new();
        for other in self.queued_proposal_refs::<G, R>(group)? {
            if Self::keyed(Kind::Proposal, &other)? != gone {
                left.push(other);
            }
        }
        self.put(Self::slot(Kind::ProposalRefs), &left)?;
        self.remove(&gone)
    }

    fn clear_proposal_queue<
        G: traits::GroupId<CURRENT_VERSION>,
        R: traits::ProposalRef<CURRENT_VERSION>,
    >(
        &self,
        group: &G,
    ) -> Result<(), CodecError> {
        for reference in self.queued_proposal_refs::<G, R>(group)? {
            self.remove(&Self::keyed(Kind::Proposal, &reference)?)?;
        }
        self.remove(&Self::slot(Kind::ProposalRefs))
    }

    fn write_encryption_epoch_key_pairs<
        G: traits::GroupId<CURRENT_VERSION>,
        E: traits::EpochKey<CURRENT_VERSION>,
        P: traits::HpkeKeyPair<CURRENT_VERSION>,
    >(
        &self,
        _: &G,
        epoch: &E,
        leaf_index: u32,
        key_pairs: &[P],
    ) -> Result<(), CodecError> {
        self.put(Self::epoch_slot(epoch, leaf_index)?, &key_pairs)
    }

    fn encryption_epoch_key_pairs<
        G: traits::GroupId<CURRENT_VERSION>,
        E: traits::EpochKey<CURRENT_VERSION>,
        P: traits::HpkeKeyPair<CURRENT_VERSION>,
    >(
        &self,
        _: &G,
        epoch: &E,
        leaf_index: u32,
    ) -> Result<Vec<P>, CodecError> {
        Ok(self
            .get(&Self::epoch_slot(epoch, leaf_index)?)?
            .unwrap_or_default())
    }

    fn delete_encryption_epoch_key_pairs<
        G: traits::GroupId<CURRENT_VERSION>,
        E: traits::EpochKey<CURRENT_VERSION>,
    >(
        &self,
        _: &G,
        epoch: &E,
        leaf_index: u32,
    ) -> Result<(), CodecError> {
        self.remove(&Self::epoch_slot(epoch, leaf_index)?)
    }
}
