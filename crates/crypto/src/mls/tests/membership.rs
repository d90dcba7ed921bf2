// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who is in a thread, who may change that, and that all members decide alike.

use comptoir_protocol::id::AccountId;

use super::*;
use crate::keys::DeviceKey;

fn owned_by(founder: AccountId, seed: u64) -> ComptoirContext {
    let mut context = ComptoirContext::new(thread_id(seed), ThreadKind::Group);
    context.roles = vec![RoleEntry {
        account: founder,
        role: Role::Owner,
    }];
    context
}

/// A second device of somebody's account.
fn second_device(person: &Person, seed: u64) -> Person {
    let mut other = Person::new(seed);
    let device = DeviceKey::generate(&mut other.rng);
    let account = &person.account;
    other.account = AccountSecrets {
        proof: account.proof.clone(),
        keys: account.keys.clone(),
        list_key: account.list_key.clone(),
        list: account.list.clone(),
        certificate: account::certify(&account.list_key, &account.keys, &device, 2),
        device_key: device,
    };
    other
}

#[test]
fn a_group_adds_renews_and_removes_and_stays_one() {
    let owner = Person::new(50_000);
    let context = owned_by(owner.account.keys.account(), 50);
    let mut nodes = group_in(context, 4, 50);
    for committer in 0..4 {
        let commit = nodes[committer].renews();
        for node in others(&mut nodes, committer) {
            let summary = node.follows(&commit);
            assert!(!summary.context_changed && summary.added.is_empty());
            node.restarts();
        }
    }
    let gone = nodes[2].thread.own_leaf_index();
    let seed = nodes[0].person.seed();
    let commit = nodes[0].thread.remove(&[gone], seed).unwrap();
    for (at, node) in others(&mut nodes, 0).enumerate() {
        let summary = node.thread.process_commit(&commit.commit).unwrap();
        assert_eq!(summary.removed_us, at == 1);
        assert_eq!(summary.removed.len(), 1);
    }
    for node in &mut nodes {
        node.stores(Ratchet::Defer);
        node.restarts();
    }
    assert!(!nodes[2].thread.is_active());
    let seed = nodes[2].person.seed();
    assert!(matches!(
        nodes[2].thread.encrypt(b"x", b"", seed),
        Err(EncryptError::Removed)
    ));
    let parent = nodes[0].thread.parent();
    let message = nodes[0].says("without you");
    assert_eq!(nodes[1].hears(&message), "without you");
    assert_eq!(
        nodes[2].thread.decrypt(&message, &parent.0),
        Err(DecryptError::Removed)
    );
    assert_eq!(nodes[3].thread.members().len(), 3);
    assert_eq!(nodes[3].thread.members(), nodes[0].thread.members());
}

#[test]
fn a_pair_takes_devices_of_its_two_accounts_and_nobody_else() {
    let (mut alice, mut bob) = pair(51);
    let (stranger, _) = Person::new(52).package();
    let stranger = verify_key_package(&stranger, NOW_MS).unwrap();
    let seed = alice.person.seed();
    assert!(matches!(
        alice.thread.add(std::slice::from_ref(&stranger), seed),
        Err(CommitError::Fault(CommitFault::NotAllowed { .. }))
    ));
    alice.restarts();
    let (package, secret) = second_device(&bob.person, 53).package();
    let added = alice.adds(&[package]);
    assert_eq!(bob.follows(&added.commit).added.len(), 1);
    let mut tablet = MlsThread::join(&added.welcome, &secret).unwrap().thread;
    assert_eq!(tablet.parent(), bob.thread.parent());
    let parent = alice.thread.parent();
    assert_eq!(
        tablet
            .decrypt(&alice.says("both of you"), &parent.0)
            .unwrap()
            .plaintext,
        b"both of you"
    );
    // Eve's node has its checks off; everybody else's has not.
    let seed = alice.person.seed();
    let forced = alice.thread.add_unchecked(&[stranger], seed);
    assert!(matches!(
        bob.thread.process_commit(&forced.commit),
        Err(ProcessError::Fault(CommitFault::NotAllowed { .. }))
    ));
    bob.restarts();
}

#[test]
fn a_device_has_one_leaf() {
    let (mut alice, mut bob) = pair(54);
    let (package, _) = bob.person.package();
    let package = verify_key_package(&package, NOW_MS).unwrap();
    let seed = alice.person.seed();
    let forced = alice.thread.add_unchecked(&[package], seed);
    assert!(matches!(
        bob.thread.process_commit(&forced.commit),
        Err(ProcessError::Fault(CommitFault::DeviceTwice))
    ));
}

///
#[test]
fn an_expired_package_that_was_added_all_the_same_is_accepted_by_all() {
    // Expiry is the taker's business: if members looked at their clocks, some would follow and some would not.
    let (mut alice, mut bob) = pair(55);
    let mut tablet = second_device(&bob.person, 56);
    let leaf = tablet.leaf();
    let (package, _) = key_package(&leaf, 1, tablet.seed()).unwrap();
    let package = verify_key_package(&package, 0).unwrap();
    let seed = alice.person.seed();
    let added = alice.thread.add(&[package], seed).unwrap();
    assert_eq!(bob.follows(&added.commit).added.len(), 1);
}

///
#[test]
fn only_a_role_removes_others_and_only_who_is_there() {
    let mut nodes = group(3, 57);
    let theirs = nodes[1].thread.own_leaf_index();
    let seed = nodes[2].person.seed();
    assert!(matches!(
        nodes[2].thread.remove(&[theirs], seed),
        Err(CommitError::Fault(CommitFault::NotAllowed { .. }))
    ));
    nodes[2].restarts();
    let seed = nodes[2].person.seed();
    assert!(matches!(
        nodes[2].thread.remove(&[77], seed),
        Err(CommitError::NoSuchLeaf { leaf_index: 77 })
    ));
}

///
#[test]
fn the_context_changes_by_commit_and_by_who_may() {
    let (mut alice, mut bob) = pair(58);
    let mut context = alice.thread.context().clone();
    context.expires_after_s = Some(86_400);
    let seed = alice.person.seed();
    let commit = alice.thread.change_context(&context, seed).unwrap();
    alice.stores(Ratchet::Defer);
    assert!(bob.follows(&commit.commit).context_changed);
    bob.restarts();
    assert_eq!(bob.thread.context(), &context);
    for wrong in [
        ComptoirContext {
            incarnation: 2,
            ..context.clone()
        },
        ComptoirContext {
            kind: ThreadKind::Group,
            ..context.clone()
        },
        ComptoirContext {
            thread: thread_id(1),
            ..context.clone()
        },
        ComptoirContext {
            history: HistoryRule::Shared,
            ..context.clone()
        },
        ComptoirContext {
            rules: 2,
            ..context.clone()
        },
        owned_by(alice.person.account.keys.account(), 58),
    ] {
        let seed = alice.person.seed();
        assert!(matches!(
            alice.thread.change_context(&wrong, seed),
            Err(CommitError::Fault(_))
        ));
        alice.restarts();
    }
}

///
#[test]
fn a_designated_thread_takes_commits_of_one_device() {
    let founder = Person::new(59_000);
    let mut context = ComptoirContext::new(thread_id(59), ThreadKind::Merchant);
    context.policy = CommitPolicy::Designated(founder.account.device_key.id());
    let mut nodes = group_in(context, 2, 59);
    let seed = nodes[1].person.seed();
    assert!(matches!(
        nodes[1].thread.self_update(seed),
        Err(CommitError::Fault(CommitFault::NotDesignated))
    ));
    let commit = nodes[0].renews();
    nodes[1].restarts();
    nodes[1].follows(&commit);
}

#[test]
fn a_commit_of_another_parent_a_message_and_ones_own_are_told_apart() {
    let (mut alice, mut bob) = pair(60);
    let (of_alice, of_bob) = (alice.renews(), bob.renews());
    assert!(matches!(
        alice.thread.process_commit(&of_bob),
        Err(ProcessError::OtherParent { .. })
    ));
    assert!(matches!(
        alice.thread.process_commit(&of_alice),
        Err(ProcessError::OtherParent { .. })
    ));
    let message = alice.says("hello");
    assert!(matches!(
        bob.thread.process_commit(&message),
        Err(ProcessError::Malformed)
    ));
    assert!(matches!(
        bob.thread.process_commit(b"noise"),
        Err(ProcessError::Malformed)
    ));
}

///
#[test]
fn a_bent_commit_is_refused() {
    let (mut alice, mut bob) = pair(61);
    let commit = alice.renews();
    for at in (0..commit.len()).step_by(11) {
        let mut bent = commit.clone();
        bent[at] ^= 1;
        assert!(bob.thread.process_commit(&bent).is_err(), "byte {at}");
        bob.restarts();
    }
    bob.follows(&commit);
    assert_eq!(bob.thread.parent(), alice.thread.parent());
}

#[test]
fn a_device_replaces_its_leaf_and_talks_on() {
    let (mut alice, mut bob) = pair(62);
    let before = alice.thread.own_leaf_key();
    let (leaf, seed) = (alice.person.leaf(), alice.person.seed());
    let late = alice.says("sent before, read after");
    let parent = alice.thread.parent();
    let commit = alice.thread.replace_leaf(&leaf, seed).unwrap().commit;
    alice.stores(Ratchet::Defer);
    alice.restarts();
    bob.follows(&commit);
    bob.restarts();
    assert_ne!(alice.thread.own_leaf_key(), before);
    assert_eq!(bob.thread.members(), alice.thread.members());
    let opened = bob.tries(&alice.says("with a new key")).unwrap();
    assert_eq!(opened.author.leaf_key, leaf.public());
    assert_eq!(opened.author.device, alice.person.account.device_key.id());
    // The leaf that is gone is still known by name, for as long as its messages open.
    let opened = bob.thread.decrypt(&late, &parent.0).unwrap();
    assert_eq!(opened.author.leaf_key, before);
    alice.hears(&bob.says("welcome back"));
}

#[test]
fn a_thread_that_failed_gives_nothing_out_until_it_is_loaded_again() {
    let (mut alice, mut bob) = pair(63);
    let before = alice.rows.clone();
    let (stranger, _) = Person::new(64).package();
    let stranger = verify_key_package(&stranger, NOW_MS).unwrap();
    let seed = alice.person.seed();
    assert!(alice.thread.add(&[stranger], seed).is_err());
    assert!(alice.thread.take_changes(Ratchet::Write).is_empty());
    let (first, second, third) = (alice.person.seed(), alice.person.seed(), bob.says("hello"));
    assert!(matches!(
        alice.thread.encrypt(b"x", b"", first),
        Err(EncryptError::Spoilt)
    ));
    assert!(matches!(
        alice.thread.self_update(second),
        Err(CommitError::Spoilt)
    ));
    assert_eq!(alice.tries(&third), Err(DecryptError::Spoilt));
    assert!(matches!(
        alice.thread.process_commit(&bob.renews()),
        Err(ProcessError::Spoilt)
    ));
    assert_eq!(alice.rows, before);
    alice.restarts();
    assert_eq!(alice.hears(&third), "hello");
}
