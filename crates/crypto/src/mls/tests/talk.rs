// SPDX-License-Identifier: MIT OR Apache-2.0
//! Two people talk, and lose power between any two messages.

use super::*;

#[test]
fn two_talk_and_reload_between_every_message() {
    let (mut alice, mut bob) = pair(1);
    for round in 0..20 {
        let message = alice.says(&format!("alice {round}"));
        alice.restarts();
        assert_eq!(bob.hears(&message), format!("alice {round}"));
        bob.restarts();
        let answer = bob.says(&format!("bob {round}"));
        bob.restarts();
        assert_eq!(alice.hears(&answer), format!("bob {round}"));
        alice.restarts();
    }
}

#[test]
fn the_author_of_a_message_is_told_by_account_and_device() {
    let (mut alice, mut bob) = pair(2);
    let message = alice.says("it is me");
    let opened = bob.tries(&message).unwrap();
    assert_eq!(opened.author.account, alice.person.account.keys.account());
    assert_eq!(opened.author.device, alice.person.account.device_key.id());
    assert_eq!(opened.author.leaf_key, alice.thread.own_leaf_key());
    assert_eq!(opened.author.leaf_index, alice.thread.own_leaf_index());
    let proved = bob
        .thread
        .verified_leaf(opened.author.leaf_index)
        .unwrap()
        .unwrap();
    assert_eq!(proved.keys, alice.person.account.keys);
    assert_eq!(
        bob.thread.kinds(opened.author.leaf_index).unwrap().kinds,
        KINDS
    );
}

/// R-2.10.
#[test]
fn both_are_in_one_state_and_see_one_context() {
    let (alice, bob) = pair(3);
    assert_eq!(alice.thread.parent(), bob.thread.parent());
    assert_eq!(alice.thread.context(), bob.thread.context());
    assert_eq!(alice.thread.members(), bob.thread.members());
    assert_eq!(alice.thread.context().thread, thread_id(3));
}

/// R-12.1.
#[test]
fn a_deferred_ratchet_row_still_opens_every_later_message() {
    let (mut alice, mut bob) = pair(4);
    bob.hears(&alice.says("stored"));
    bob.stores(Ratchet::Write);
    for number in 0..40 {
        bob.hears(&alice.says(&format!("deferred {number}")));
    }
    assert!(bob.thread.is_ratchet_pending());
    bob.restarts();
    assert!(!bob.thread.is_ratchet_pending());
    assert_eq!(bob.hears(&alice.says("after the crash")), "after the crash");
}

/// R-12.1.
#[test]
fn only_receiving_is_deferred() {
    let (mut alice, mut bob) = pair(5);
    let message = alice.says("hello");
    bob.thread
        .decrypt(&message, &bob.thread.parent().0)
        .unwrap();
    assert!(bob.thread.take_changes(Ratchet::Defer).is_empty());
    assert_eq!(bob.thread.take_changes(Ratchet::Write).len(), 1);
    assert!(bob.thread.take_changes(Ratchet::Write).is_empty());
    let seed = bob.person.seed();
    bob.thread
        .encrypt(b"answer", &bob.thread.parent().0, seed)
        .unwrap();
    assert_eq!(bob.thread.take_changes(Ratchet::Defer).len(), 1);
}

/// R-12.2.
/// The send ratchet after a crash: what was taken out with each message keeps two messages from sharing a key.
#[test]
fn after_a_crash_no_generation_is_sent_twice() {
    let (mut alice, mut bob) = pair(6);
    for number in 0..10 {
        let message = alice.says(&format!("{number}"));
        alice.restarts();
        assert_eq!(bob.hears(&message), format!("{number}"));
        assert_eq!(bob.tries(&message), Err(DecryptError::Used));
    }
}

#[test]
fn messages_of_three_epochs_ago_still_open_and_older_ones_say_so() {
    let (mut alice, mut bob) = pair(7);
    let mut sent = Vec::new();
    for number in 0..5 {
        let parent = alice.thread.parent();
        sent.push((alice.says(&format!("{number}")), parent));
        let commit = if number % 2 == 0 {
            alice.renews()
        } else {
            bob.renews()
        };
        let other = if number % 2 == 0 {
            &mut bob
        } else {
            &mut alice
        };
        other.follows(&commit);
        other.restarts();
    }
    for (number, (message, parent)) in sent.iter().enumerate() {
        let opened = bob.thread.decrypt(message, &parent.0);
        if number < 2 {
            assert_eq!(opened, Err(DecryptError::EpochGone));
        } else {
            assert_eq!(opened.unwrap().plaintext, format!("{number}").as_bytes());
        }
    }
}

#[test]
fn a_thread_is_two_rows_of_a_few_kilobytes() {
    let (mut alice, mut bob) = pair(8);
    for _ in 0..4 {
        let commit = alice.renews();
        bob.follows(&commit);
        bob.hears(&alice.says("hello"));
        alice.hears(&bob.says("hello"));
    }
    bob.stores(Ratchet::Write);
    assert_eq!(bob.rows.len(), 2);
    let bytes: usize = bob.rows.values().map(Vec::len).sum();
    assert!(bytes < 16 * 1024, "{bytes} bytes");
}

#[test]
fn a_thread_that_is_not_there_or_half_there_says_so() {
    let (alice, _) = pair(9);
    let nothing = BTreeMap::<Vec<u8>, Vec<u8>>::new();
    assert!(matches!(
        MlsThread::load(&nothing),
        Err(LoadError::NotFound)
    ));
    let mut half = alice.rows.clone();
    half.remove(&b"r"[..]);
    assert!(matches!(MlsThread::load(&half), Err(LoadError::Incomplete)));
    for (key, row) in &alice.rows {
        let mut newer = alice.rows.clone();
        newer.get_mut(key).unwrap()[0] = 2;
        assert!(matches!(
            MlsThread::load(&newer),
            Err(LoadError::Record(RecordError::Newer { version: 2 }))
        ));
        for cut in [0, 1, 2, row.len() / 2, row.len() - 1] {
            let mut damaged = alice.rows.clone();
            damaged.insert(key.clone(), row[..cut].to_vec());
            assert!(MlsThread::load(&damaged).is_err(), "cut at {cut}");
        }
    }
}

#[test]
fn nothing_secret_is_printed() {
    let (mut alice, bob) = pair(10);
    let secret = alice.thread.leaf_key_secret();
    let (_, package) = alice.person.package();
    let shown = format!(
        "{:?} {:?} {:?} {:?}",
        alice.thread,
        package,
        alice.person.leaf(),
        bob.thread
    );
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let list = format!("{:?}", &secret[..8]);
    assert!(!shown.contains(&hex(&secret[..8])) && !shown.contains(list.trim_matches(['[', ']'])));
    let changes = format!("{:?}", RowChange::Put(vec![7; 9]));
    assert_eq!(changes, "Put(9 bytes)");
}

/// Envelopes are opened on worker threads.
#[test]
fn a_thread_can_be_sent_to_another_thread() {
    fn sendable<T: Send>(_: &T) {}
    sendable(&pair(11).0.thread);
}

/// R-6.1.
/// An account that rotated as often as it can has the longest credential: its package still fits a hello.
#[test]
fn the_longest_key_package_fits_a_hello() {
    use comptoir_protocol::id::RelayKey;
    use comptoir_protocol::limits::{
        HELLO_KEY_PACKAGE_BYTES_MAX, POOLED_PACKAGE_BYTES_MAX, ROTATIONS_MAX,
    };
    let mut person = Person::new(12);
    let phrase = Phrase::generate(&mut person.rng);
    person.account = account::create(&phrase, NOW_MS, &mut person.rng);
    let (shortest, _) = person.package();
    let AccountSecrets {
        proof,
        list_key,
        device_key,
        certificate,
        keys,
        ..
    } = &mut person.account;
    for _ in 0..ROTATIONS_MAX {
        *proof = account::rotate(proof, &phrase, list_key).unwrap();
    }
    *keys = proof.verify().unwrap();
    *certificate = account::certify(list_key, keys, device_key, u64::MAX);
    let kinds: Vec<u32> = (100_000..100_000 + 32).collect();
    let seed = StepSeed::draw(&mut person.rng);
    let leaf = Leaf::issue(device_key, proof, certificate, &kinds, &seed);
    let (longest, _) = key_package(&leaf, u64::MAX, seed).unwrap();
    println!(
        "key packages of {} to {} bytes",
        shortest.len(),
        longest.len()
    );
    assert!(
        longest.len() <= HELLO_KEY_PACKAGE_BYTES_MAX,
        "{} bytes",
        longest.len()
    );
    verify_key_package(&longest, NOW_MS).unwrap();
    // In a relay's pool it lies sealed.
    let pooled = crate::deposit::seal_package(&[1; 32], &RelayKey([2; 32]), &longest);
    assert!(
        pooled.len() <= POOLED_PACKAGE_BYTES_MAX,
        "{} bytes",
        pooled.len()
    );
}
