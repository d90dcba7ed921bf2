// SPDX-License-Identifier: MIT OR Apache-2.0
//! What attackers try: bent bytes, swapped packages, stolen keys.

use comptoir_protocol::Wire as _;
use comptoir_protocol::identity::LeafCredential;

use super::*;

#[test]
fn a_message_that_was_bent_is_refused_and_changes_nothing() {
    let (mut alice, mut bob) = pair(30);
    bob.hears(&alice.says("sets the ratchet up"));
    let message = alice.says("the real one");
    let before = bob.thread.ratchet_bytes();
    for at in 0..message.len() {
        let mut bent = message.clone();
        bent[at] ^= 1;
        assert!(bob.tries(&bent).is_err(), "byte {at}");
        assert!(bob.tries(&message[..at]).is_err(), "cut at {at}");
    }
    assert_eq!(bob.thread.ratchet_bytes(), before);
    assert_eq!(bob.hears(&message), "the real one");
}

///
#[test]
fn a_message_bound_to_another_parent_is_refused_and_changes_nothing() {
    let (mut alice, mut bob) = pair(31);
    let message = alice.says("bound");
    let before = bob.thread.ratchet_bytes();
    assert_eq!(
        bob.thread.decrypt(&message, &[0; 32]),
        Err(DecryptError::OtherEnvelope)
    );
    assert_eq!(
        bob.thread.decrypt(&message, b""),
        Err(DecryptError::OtherEnvelope)
    );
    assert_eq!(bob.thread.ratchet_bytes(), before);
    assert_eq!(bob.hears(&message), "bound");
}

#[test]
fn ones_own_message_another_groups_and_noise_are_told_apart() {
    let (mut alice, mut bob) = pair(32);
    let (mut carol, _) = pair(33);
    let own = alice.says("own");
    assert_eq!(alice.tries(&own), Err(DecryptError::Own));
    let parent = carol.thread.parent();
    let foreign = carol.says("foreign");
    assert_eq!(
        bob.thread.decrypt(&foreign, &parent.0),
        Err(DecryptError::OtherGroup)
    );
    assert_eq!(bob.tries(b"noise"), Err(DecryptError::Malformed));
    assert_eq!(bob.tries(&vec![0xff; 4096]), Err(DecryptError::Malformed));
    let commit = alice.renews();
    assert_eq!(bob.tries(&commit), Err(DecryptError::Malformed));
    let ahead = alice.says("ahead");
    let parent = alice.thread.parent();
    assert_eq!(
        bob.thread.decrypt(&ahead, &parent.0),
        Err(DecryptError::EpochAhead)
    );
    bob.follows(&commit);
    assert_eq!(bob.hears(&ahead), "ahead");
}

///
#[test]
fn an_expired_package_is_refused_by_its_taker() {
    let (bytes, _) = Person::new(34).package();
    assert!(verify_key_package(&bytes, LATER_MS - 1).is_ok());
    assert!(matches!(
        verify_key_package(&bytes, LATER_MS),
        Err(KeyPackageError::Expired {
            expires_ms: LATER_MS,
            now_ms: LATER_MS
        })
    ));
}

#[test]
fn a_swapped_package_is_somebody_elses() {
    let (bob, mut eve) = (Person::new(35), Person::new(36));
    let (bytes, _) = eve.package();
    let swapped = verify_key_package(&bytes, NOW_MS).unwrap();
    assert!(matches!(
        swapped.of_account(bob.account.keys.account()),
        Err(KeyPackageError::OtherAccount)
    ));
}

#[test]
fn a_bent_package_is_refused() {
    let (bytes, _) = Person::new(37).package();
    for at in (0..bytes.len()).step_by(3) {
        let mut bent = bytes.clone();
        bent[at] ^= 1;
        assert!(verify_key_package(&bent, NOW_MS).is_err(), "byte {at}");
        assert!(
            verify_key_package(&bytes[..at], NOW_MS).is_err(),
            "cut at {at}"
        );
    }
    assert!(matches!(
        verify_key_package(&vec![0; 100_000], NOW_MS),
        Err(KeyPackageError::TooLong { bytes: 100_000 })
    ));
}

///
/// Eve puts Bob's credential into a leaf of hers.
#[test]
fn a_credential_in_a_strangers_leaf_is_refused() {
    let (mut bob, mut eve) = (Person::new(38), Person::new(39));
    let stolen = bob.leaf().credential;
    let mut leaf = eve.leaf();
    leaf.credential = stolen;
    let (bytes, _) = key_package(&leaf, LATER_MS, eve.seed()).unwrap();
    assert!(matches!(
        verify_key_package(&bytes, NOW_MS),
        Err(KeyPackageError::Leaf(LeafError::Unproved(_)))
    ));
}

///
/// Eve, on Bob's device list no longer, has a device key and certifies it herself.
#[test]
fn a_device_the_list_key_never_certified_is_refused() {
    let (mut bob, mut eve) = (Person::new(40), Person::new(41));
    let mut leaf = eve.leaf();
    let of_bob = bob.leaf().credential;
    leaf.credential = LeafCredential {
        proof: of_bob.proof,
        ..leaf.credential
    };
    assert!(LeafCredential::from_bytes(&leaf.credential.to_bytes()).is_ok());
    let (bytes, _) = key_package(&leaf, LATER_MS, eve.seed()).unwrap();
    assert!(matches!(
        verify_key_package(&bytes, NOW_MS),
        Err(KeyPackageError::Leaf(LeafError::Unproved(_)))
    ));
}

/// Key-compromise impersonation: Eve holds every long-lived key of Alice (device, list, and the private half of
/// her key package). She can pose as Alice to others; she must not be able to pose to Alice as Bob.
#[test]
fn who_stole_alices_keys_cannot_pose_to_her_as_bob() {
    let (mut alice, mut bob) = (Person::new(42), Person::new(43));
    let (package, alice_secret) = alice.package();
    let stolen = KeyPackageSecret::from_bytes(&alice_secret.to_bytes()).unwrap();
    // What Eve can make with Alice's keys: a thread of her own whose founder claims to be Bob.
    let forged = Leaf {
        key: stolen.leaf_key.clone(),
        ..bob.leaf()
    };
    let context = ComptoirContext::new(thread_id(42), ThreadKind::Pair);
    assert!(matches!(
        MlsThread::create(context.clone(), &forged, alice.seed()),
        Err(CreateError::Leaf(LeafError::Unproved(_)))
    ));
    // A leaf certified by Alice's device key under Bob's certificate, which Eve has from a thread with Bob.
    let mut mixed = alice.leaf();
    mixed.credential.proof = bob.leaf().credential.proof;
    mixed.credential.device = bob.leaf().credential.device;
    assert!(matches!(
        MlsThread::create(context.clone(), &mixed, alice.seed()),
        Err(CreateError::Leaf(LeafError::Unproved(_)))
    ));
    // Even with a founder whose own checks are off, Alice refuses the Welcome.
    let mut founder = MlsThread::create_unchecked(context, &mixed, alice.seed());
    let proved = verify_key_package(&package, NOW_MS).unwrap();
    let welcome = founder.add_unchecked(&[proved], alice.seed()).welcome;
    assert!(matches!(
        MlsThread::join(&welcome, &alice_secret),
        Err(JoinError::Member(LeafError::Unproved(_)))
    ));
}

/// In a running thread Eve has Alice's leaf key and row, and sends to Alice: as Alice's own leaf, never as Bob's.
#[test]
fn a_copy_of_alices_rows_speaks_only_as_alice() {
    let (mut alice, mut bob) = pair(44);
    let mut eve = MlsThread::load(&alice.rows).unwrap();
    let forged = eve
        .encrypt(b"from bob", &alice.thread.parent().0, alice.person.seed())
        .unwrap();
    assert_eq!(alice.tries(&forged), Err(DecryptError::Own));
    let opened = bob.tries(&forged).unwrap();
    assert_eq!(opened.author.account, alice.person.account.keys.account());
}

///
#[test]
fn a_welcome_opens_with_the_package_it_names_and_no_other() {
    let mut founder = Person::new(45).founds(ComptoirContext::new(thread_id(45), ThreadKind::Pair));
    let mut bob = Person::new(46);
    let (package, secret) = bob.package();
    let (_, other_secret) = bob.package();
    let welcome = founder.adds(&[package]).welcome;
    assert_eq!(
        MlsThread::welcome_references(&welcome),
        [secret.reference()]
    );
    assert!(matches!(
        MlsThread::join(&welcome, &other_secret),
        Err(JoinError::OtherPackage)
    ));
    let kept = KeyPackageSecret::from_bytes(&secret.to_bytes()).unwrap();
    let joined = MlsThread::join(&welcome, &kept).unwrap();
    assert_eq!(
        joined.inviter.account,
        founder.person.account.keys.account()
    );
    assert_eq!(joined.thread.parent(), founder.thread.parent());
    // Kept until the join is final: a Welcome to the branch that wins opens with it too.
    assert!(MlsThread::join(&welcome, &kept).is_ok());
    for at in (0..welcome.len()).step_by(7) {
        let mut bent = welcome.clone();
        bent[at] ^= 1;
        if let Ok(joined) = MlsThread::join(&bent, &secret) {
            panic!("byte {at} bent, and joined {:?}", joined.thread);
        }
        assert!(MlsThread::join(&welcome[..at], &secret).is_err());
    }
}

/// Carol, a member, commits a new leaf for herself: with Bob's credential, with her own under another account, with
/// a key nobody certified.
#[test]
fn a_committer_cannot_become_somebody_else() {
    let mut nodes = group(3, 47);
    let (mut carol, mut alice) = (nodes.remove(2), nodes.remove(0));
    let mut stranger = Person::new(48);
    let of_bob = Leaf {
        credential: nodes[0].person.leaf().credential,
        ..carol.person.leaf()
    };
    let of_a_stranger = stranger.leaf();
    let seed = carol.person.seed();
    assert!(matches!(
        carol.thread.replace_leaf(&of_a_stranger, seed),
        Err(CommitError::Fault(CommitFault::OtherDevice))
    ));
    for leaf in [of_bob, of_a_stranger] {
        carol.restarts();
        let seed = carol.person.seed();
        let commit = carol.thread.replace_leaf_unchecked(&leaf, seed);
        assert!(matches!(
            alice.thread.process_commit(&commit),
            Err(ProcessError::Fault(
                CommitFault::OtherDevice | CommitFault::CommitterLeaf(LeafError::Unproved(_))
            ))
        ));
        alice.restarts();
    }
}

/// An external sender in the group's context could propose without being a member.
#[test]
fn a_group_extension_that_threads_do_not_use_is_refused() {
    use openmls::prelude::{Extension, ExternalSender};
    let (mut alice, mut bob) = pair(49);
    let mut extensions = context::group_extensions(alice.thread.context()).unwrap();
    let stranger = Person::new(149).leaf().credential_with_key();
    let sender = ExternalSender::new(stranger.signature_key, stranger.credential);
    extensions
        .add(Extension::ExternalSenders(vec![sender]))
        .unwrap();
    let seed = alice.person.seed();
    let commit = alice.thread.change_extensions_unchecked(extensions, seed);
    assert!(matches!(
        bob.thread.process_commit(&commit),
        Err(ProcessError::Fault(CommitFault::ForeignExtension))
    ));
}

/// One member's clock would accept what another's refuses.
#[test]
fn a_lifetime_that_a_clock_decides_is_refused_by_everybody() {
    let lifetime = openmls::prelude::Lifetime::init(0, u64::MAX - 1);
    let bytes = crafted_package(150, lifetime, leaf::capabilities());
    assert!(matches!(
        verify_key_package(&bytes, NOW_MS),
        Err(KeyPackageError::Refused(_))
    ));
}

/// The group could not be made with it, so it must be refused while it is still a stranger's word.
#[test]
fn a_package_whose_leaf_leaves_out_what_threads_use_is_refused_when_it_is_read() {
    use openmls::prelude::{Capabilities, ExtensionType};
    let leaves_out_context = [context::LEAF_EXTENSION, context::PACKAGE_EXTENSION];
    let capabilities = Capabilities::builder()
        .versions(leaf::capabilities().versions().to_vec())
        .ciphersuites(vec![crypto::SUITE])
        .extensions(leaves_out_context.map(ExtensionType::Unknown).to_vec())
        .credentials(leaf::capabilities().credentials().to_vec())
        .build();
    let complete = crafted_package(151, package::unlimited(), leaf::capabilities());
    assert!(verify_key_package(&complete, NOW_MS).is_ok());
    let lacking = crafted_package(151, package::unlimited(), capabilities);
    assert!(matches!(
        verify_key_package(&lacking, NOW_MS),
        Err(KeyPackageError::Refused(_))
    ));
}

fn crafted_package(
    seed: u64,
    lifetime: openmls::prelude::Lifetime,
    capabilities: openmls::prelude::Capabilities,
) -> Vec<u8> {
    use openmls::prelude::{Extensions, KeyPackageBuilder};
    use tls_codec::Serialize as _;
    let mut owner = Person::new(seed);
    let leaf = owner.leaf();
    let overlay = storage::Overlay::default();
    let crypto = crypto::StepCrypto::seeded(owner.seed());
    let terms = context::PackageTerms {
        expires_ms: LATER_MS,
    };
    let terms = Extensions::single(context::extension(context::PACKAGE_EXTENSION, &terms)).unwrap();
    let kinds =
        Extensions::single(context::extension(context::LEAF_EXTENSION, &leaf.kinds)).unwrap();
    let bundle = KeyPackageBuilder::new()
        .key_package_lifetime(lifetime)
        .key_package_extensions(terms)
        .leaf_node_capabilities(capabilities)
        .leaf_node_extensions(kinds)
        .build(
            crypto::SUITE,
            &provider::Provider::new(&crypto, &overlay),
            &leaf.key,
            leaf.credential_with_key(),
        )
        .unwrap();
    bundle.key_package().tls_serialize_detached().unwrap()
}
