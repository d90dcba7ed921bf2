// SPDX-License-Identifier: MIT OR Apache-2.0
//! Coming in from outside: back into one's own place, by a link, and everything else that somebody may try.

use comptoir_protocol::evidence::{Evidence, LinkPass};
use comptoir_protocol::identity::{LeafCertificate, LeafCredential};
use openmls::schedule::PreSharedKeyId;

use super::*;
use crate::keys::{LeafKey, LinkKey};

fn link(seed: u64) -> LinkKey {
    LinkKey::generate(&mut ChaCha20Rng::seed_from_u64(seed))
}

fn linked(kind: ThreadKind, seed: u64) -> ComptoirContext {
    let mut context = ComptoirContext::new(thread_id(seed), kind);
    context.join_links = vec![link(seed).public()];
    context
}

/// A group of `size` that lists one link.
fn group_with_link(size: usize, seed: u64) -> Vec<Node> {
    group_in(linked(ThreadKind::Group, seed), size, seed)
}

fn faults(node: &mut Node, commit: &[u8]) -> CommitFault {
    let error = node.thread.process_commit(commit).unwrap_err();
    node.restarts();
    match error {
        ProcessError::Fault(fault) => fault,
        other => panic!("refused for another reason: {other}"),
    }
}

fn outside(fault: &CommitFault) -> &'static str {
    match fault {
        CommitFault::Outside { what } | CommitFault::ForeignEvidence { what } => what,
        other => panic!("refused for another reason: {other}"),
    }
}

fn pass(thread: &MlsThread, person: &Person, leaf: &Leaf) -> LinkPass {
    LinkPass {
        thread: thread.context().thread,
        incarnation: thread.context().incarnation,
        parent: thread.parent(),
        account: person.account.keys.account(),
        device: person.account.device_key.id(),
        leaf_key: leaf.public(),
    }
}

///
/// Bob's disk went back to an old state. He comes back in a new leaf, and what his old state could do is over.
#[test]
fn one_who_was_rolled_back_comes_back_in_a_new_leaf() {
    let mut nodes = group(3, 70);
    let old = nodes[1].rows.clone();
    for _ in 0..3 {
        let commit = nodes[1].renews();
        others(&mut nodes, 1).for_each(|node| drop(node.follows(&commit)));
    }
    nodes[1].rows = old;
    nodes[1].restarts();
    let before = nodes[1].thread.own_leaf_key();
    let offer = nodes[0].thread.offer().unwrap();
    let (leaf, seeds) = (
        nodes[1].person.leaf(),
        [nodes[1].person.seed(), nodes[1].person.seed()],
    );
    let CameBack {
        thread,
        offered_by,
        commits,
    } = nodes[1].thread.come_back(&offer, &leaf, seeds).unwrap();
    assert_eq!(offered_by.account, nodes[0].person.account.keys.account());
    let device = nodes[1].person.account.device_key.id();
    for node in others(&mut nodes, 1) {
        let came = node.follows(&commits[0].commit);
        assert_eq!(came.entry, Entry::Resync);
        assert_eq!(came.parent, commits[0].parent);
        assert_eq!(came.committer.device, device);
        assert_eq!(came.replaced.unwrap().leaf_key, before);
        assert!(came.added.is_empty() && came.removed.is_empty() && !came.removed_us);
        node.restarts();
        node.follows(&commits[1].commit);
        node.restarts();
    }
    nodes[1].thread = thread;
    nodes[1].rows.clear();
    nodes[1].stores(Ratchet::Write);
    nodes[1].restarts();
    assert_eq!(nodes[1].thread.own_leaf_key(), leaf.public());
    assert_eq!(nodes[1].thread.parent(), nodes[0].thread.parent());
    assert_eq!(nodes[1].thread.members(), nodes[2].thread.members());
    let message = nodes[1].says("i am back");
    assert_eq!(nodes[0].hears(&message), "i am back");
    let message = nodes[2].says("we see it");
    assert_eq!(nodes[1].hears(&message), "we see it");
}

///
/// The copy of Bob's disk sees that somebody came back in his place: it is out.
#[test]
fn a_clone_that_is_replaced_sees_that_it_is_out() {
    let (mut alice, mut bob) = pair(71);
    let mut clone = MlsThread::load(&bob.rows).unwrap();
    let offer = alice.thread.offer().unwrap();
    let (leaf, seeds) = (bob.person.leaf(), [bob.person.seed(), bob.person.seed()]);
    let back = bob.thread.come_back(&offer, &leaf, seeds).unwrap();
    let seen = clone.process_commit(&back.commits[0].commit).unwrap();
    assert!(seen.removed_us && !clone.is_active());
    alice.follows(&back.commits[0].commit);
    alice.follows(&back.commits[1].commit);
    // It cannot come back the same way: the tree knows the leaf under a key it does not have.
    let offer = alice.thread.offer().unwrap();
    let clone = MlsThread::load(&bob.rows).unwrap();
    let seeds = [bob.person.seed(), bob.person.seed()];
    assert!(matches!(
        clone.come_back(&offer, &leaf, seeds),
        Err(EnterError::NoLeaf)
    ));
}

///
#[test]
fn one_who_was_removed_cannot_come_back() {
    let owner = Person::new(72_000).account.keys.account();
    let mut context = ComptoirContext::new(thread_id(72), ThreadKind::Group);
    context.roles = vec![RoleEntry {
        account: owner,
        role: Role::Owner,
    }];
    let mut nodes = group_in(context, 3, 72);
    let (gone, seed) = (nodes[2].thread.own_leaf_index(), nodes[0].person.seed());
    let commit = nodes[0].thread.remove(&[gone], seed).unwrap().commit;
    nodes[0].stores(Ratchet::Defer);
    nodes[1].follows(&commit);
    let offer = nodes[0].thread.offer().unwrap();
    let (leaf, seeds) = (
        nodes[2].person.leaf(),
        [nodes[2].person.seed(), nodes[2].person.seed()],
    );
    assert!(matches!(
        nodes[2].thread.come_back(&offer, &leaf, seeds),
        Err(EnterError::NoLeaf)
    ));
    // With the checks of its own node off.
    let seed = nodes[2].person.seed();
    let commit = MlsThread::enter_unchecked(&offer, &leaf, Evidence::default(), None, seed);
    let fault = faults(&mut nodes[1], &commit);
    assert_eq!(outside(&fault), "come in without a link");
}

///
/// Eve has stolen Bob's leaf key and certifies it as a leaf of her own device.
#[test]
fn nobody_takes_anothers_place() {
    let mut nodes = group(3, 73);
    let mut eve = Person::new(74);
    let stolen: LeafKey = nodes[1].thread.leaf_key();
    let certificate = eve.account.device_key.sign(&LeafCertificate {
        leaf_key: stolen.public(),
        use_id: [9; 16],
    });
    let leaf = Leaf {
        credential: LeafCredential {
            leaf: certificate,
            ..eve.leaf().credential
        },
        key: stolen,
        kinds: eve.leaf().kinds,
    };
    let offer = nodes[0].thread.offer().unwrap();
    let commit = MlsThread::enter_unchecked(&offer, &leaf, Evidence::default(), None, eve.seed());
    for node in [0, 2] {
        let fault = faults(&mut nodes[node], &commit);
        assert_eq!(outside(&fault), "remove another's leaf");
    }
}

///
#[test]
fn a_commit_from_outside_brings_nothing_beside() {
    let (mut alice, mut bob) = pair(75);
    let psk = PreSharedKeyId::external(vec![1; 8], vec![2; 32]);
    let own = Leaf {
        key: bob.thread.leaf_key(),
        ..bob.person.leaf()
    };
    let certificate = bob.person.account.device_key.sign(&LeafCertificate {
        leaf_key: own.public(),
        use_id: [9; 16],
    });
    let leaf = Leaf {
        credential: LeafCredential {
            leaf: certificate,
            ..own.credential.clone()
        },
        ..own
    };
    let offer = alice.thread.offer().unwrap();
    let seed = bob.person.seed();
    let with_psk =
        MlsThread::enter_unchecked(&offer, &leaf, Evidence::default(), Some(psk.clone()), seed);
    assert!(alice.thread.process_commit(&with_psk).is_err());
    alice.restarts();
    alice.thread.keep_psk(&psk);
    assert!(matches!(
        faults(&mut alice, &with_psk),
        CommitFault::ProposalKind
    ));
    let consent = alice.thread.consent(alice.thread.context());
    let with_consent = Evidence {
        pass: None,
        consents: Some(vec![consent]),
    };
    let seed = bob.person.seed();
    let commit = MlsThread::enter_unchecked(&offer, &leaf, with_consent, None, seed);
    assert_eq!(
        outside(&faults(&mut alice, &commit)),
        "a consent that nothing needs"
    );
    // The same without anything beside is followed.
    let seed = bob.person.seed();
    let commit = MlsThread::enter_unchecked(&offer, &leaf, Evidence::default(), None, seed);
    assert_eq!(alice.follows(&commit).entry, Entry::Resync);
}

///
#[test]
fn a_stranger_enters_by_a_listed_link_and_talks() {
    let mut nodes = group_with_link(3, 76);
    let mut dave = Person::new(77);
    let leaf = dave.leaf();
    let offer = nodes[0].thread.offer().unwrap();
    let entered = MlsThread::enter(&offer, &link(76), &leaf, dave.seed()).unwrap();
    assert_eq!(
        entered.offered_by.account,
        nodes[0].person.account.keys.account()
    );
    for node in &mut nodes {
        let summary = node.follows(&entered.commit.commit);
        assert_eq!(summary.entry, Entry::Link);
        assert_eq!(summary.added, std::slice::from_ref(&summary.committer));
        assert_eq!(summary.committer.leaf_key, leaf.public());
        node.restarts();
    }
    let mut dave = Node::new(dave, entered.thread);
    dave.restarts();
    assert_eq!(dave.thread.members(), nodes[2].thread.members());
    let message = dave.says("hello all");
    assert_eq!(nodes[1].hears(&message), "hello all");
    let message = nodes[2].says("welcome");
    assert_eq!(dave.hears(&message), "welcome");
}

///
#[test]
fn a_link_that_is_not_listed_lets_nobody_in() {
    let mut nodes = group_with_link(2, 78);
    let mut eve = Person::new(79);
    let leaf = eve.leaf();
    let offer = nodes[0].thread.offer().unwrap();
    assert!(matches!(
        MlsThread::enter(&offer, &link(79), &leaf, eve.seed()),
        Err(EnterError::NoSuchLink)
    ));
    let evidence = Evidence {
        pass: Some(link(79).sign(&pass(&nodes[0].thread, &eve, &leaf))),
        consents: None,
    };
    let commit = MlsThread::enter_unchecked(&offer, &leaf, evidence, None, eve.seed());
    assert_eq!(
        outside(&faults(&mut nodes[1], &commit)),
        "a pass of a link that the thread does not list"
    );
}

///
/// Two threads list one link. A pass for the first, for an earlier state, or for another's leaf opens nothing.
#[test]
fn a_pass_is_good_for_one_thread_one_state_and_one_leaf() {
    let mut here = group_with_link(2, 80);
    let mut there = {
        let mut context = ComptoirContext::new(thread_id(81), ThreadKind::Group);
        context.join_links = vec![link(80).public()];
        group_in(context, 2, 81)
    };
    let (mut eve, mut carol) = (Person::new(82), Person::new(83));
    let (leaf, of_carol) = (eve.leaf(), carol.leaf());
    let good = pass(&here[0].thread, &eve, &leaf);
    let offer = there[0].thread.offer().unwrap();
    let try_pass = |signed, node: &mut Node, offer: &[u8], eve: &mut Person| {
        let evidence = Evidence {
            pass: Some(signed),
            consents: None,
        };
        let commit = MlsThread::enter_unchecked(offer, &leaf, evidence, None, eve.seed());
        let fault = faults(node, &commit);
        assert_eq!(outside(&fault), "a pass for another thread, state or leaf");
    };
    try_pass(link(80).sign(&good), &mut there[1], &offer, &mut eve);
    let carols = pass(&here[0].thread, &carol, &of_carol);
    let offer = here[0].thread.offer().unwrap();
    try_pass(link(80).sign(&carols), &mut here[1], &offer, &mut eve);
    let commit = here[0].renews();
    here[1].follows(&commit);
    let offer = here[0].thread.offer().unwrap();
    try_pass(link(80).sign(&good), &mut here[1], &offer, &mut eve);
    // One she signed herself in the link's name.
    let mut forged = link(80).sign(&pass(&here[0].thread, &eve, &leaf));
    let bytes = comptoir_protocol::Wire::to_bytes(&forged);
    let end = bytes.len() - 1;
    let mut bent = bytes.clone();
    bent[end] ^= 1;
    forged = comptoir_protocol::Wire::from_bytes(&bent).unwrap();
    let evidence = Evidence {
        pass: Some(forged),
        consents: None,
    };
    let commit = MlsThread::enter_unchecked(&offer, &leaf, evidence, None, eve.seed());
    assert!(matches!(
        faults(&mut here[1], &commit),
        CommitFault::UnprovedEvidence(_)
    ));
}

///
#[test]
fn a_conversation_of_two_takes_no_stranger_by_any_link() {
    let mut nodes = group_in(linked(ThreadKind::Pair, 84), 2, 84);
    let mut eve = Person::new(85);
    let leaf = eve.leaf();
    let offer = nodes[0].thread.offer().unwrap();
    let entered = MlsThread::enter(&offer, &link(84), &leaf, eve.seed()).unwrap();
    assert_eq!(
        outside(&faults(&mut nodes[1], &entered.commit.commit)),
        "bring a stranger into such a thread"
    );
}

///
#[test]
fn who_is_in_the_thread_does_not_enter_a_second_time() {
    let mut nodes = group_with_link(2, 86);
    let leaf = nodes[1].person.leaf();
    let offer = nodes[0].thread.offer().unwrap();
    let seed = nodes[1].person.seed();
    assert!(matches!(
        MlsThread::enter(&offer, &link(86), &leaf, seed),
        Err(EnterError::Fault(CommitFault::DeviceTwice))
    ));
    let evidence = Evidence {
        pass: Some(link(86).sign(&pass(&nodes[0].thread, &nodes[1].person, &leaf))),
        consents: None,
    };
    let seed = nodes[1].person.seed();
    let commit = MlsThread::enter_unchecked(&offer, &leaf, evidence, None, seed);
    assert!(matches!(
        faults(&mut nodes[0], &commit),
        CommitFault::DeviceTwice
    ));
}

///
#[test]
fn in_a_designated_thread_nobody_comes_in_from_outside() {
    let founder = Person::new(87_000);
    let mut context = linked(ThreadKind::Merchant, 87);
    context.policy = CommitPolicy::Designated(founder.account.device_key.id());
    let mut nodes = group_in(context, 2, 87);
    let mut dave = Person::new(88);
    let leaf = dave.leaf();
    let offer = nodes[1].thread.offer().unwrap();
    let entered = MlsThread::enter(&offer, &link(87), &leaf, dave.seed()).unwrap();
    assert!(matches!(
        faults(&mut nodes[0], &entered.commit.commit),
        CommitFault::NotDesignated
    ));
}

#[test]
fn an_offer_that_was_bent_leads_nowhere() {
    let nodes = group_with_link(2, 89);
    let mut dave = Person::new(90);
    let leaf = dave.leaf();
    let offer = nodes[0].thread.offer().unwrap();
    for at in (0..offer.len()).step_by(13) {
        let mut bent = offer.clone();
        bent[at] ^= 1;
        assert!(
            MlsThread::enter(&bent, &link(89), &leaf, dave.seed()).is_err(),
            "byte {at}"
        );
        assert!(MlsThread::enter(&offer[..at], &link(89), &leaf, dave.seed()).is_err());
    }
}

/// The commit from outside is in the clear: each bit of it is under a signature or makes another state of it.
#[test]
fn a_bent_commit_from_outside_is_refused() {
    let mut nodes = group_with_link(2, 91);
    let mut dave = Person::new(92);
    let leaf = dave.leaf();
    let offer = nodes[0].thread.offer().unwrap();
    let commit = MlsThread::enter(&offer, &link(91), &leaf, dave.seed())
        .unwrap()
        .commit
        .commit;
    for at in (0..commit.len()).step_by(7) {
        let mut bent = commit.clone();
        bent[at] ^= 1;
        assert!(nodes[1].thread.process_commit(&bent).is_err(), "byte {at}");
        nodes[1].restarts();
    }
    nodes[1].follows(&commit);
}
