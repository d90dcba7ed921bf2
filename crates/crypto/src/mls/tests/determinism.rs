// SPDX-License-Identifier: MIT OR Apache-2.0
//! One seed, one run: OpenMLS seals from several threads, and no byte that leaves may depend on their order.

use super::*;

const SEEDS: u64 = 20;
const SIZE: usize = 12;

/// Everything a group of twelve sends while it adds, renews, removes and talks; the state and the rows it ends in.
fn run(seed: u64) -> Vec<Vec<u8>> {
    let founder = Person::new(seed * 1_000).account.keys.account();
    let mut context = ComptoirContext::new(thread_id(seed), ThreadKind::Group);
    context.roles = vec![RoleEntry {
        account: founder,
        role: Role::Owner,
    }];
    let mut founder = Person::new(seed * 1_000).founds(context);
    let mut invited: Vec<_> = (1..SIZE as u64)
        .map(|number| {
            let mut person = Person::new(seed * 1_000 + number);
            let (bytes, secret) = person.package();
            (person, bytes, secret)
        })
        .collect();
    let packages: Vec<_> = invited.iter().map(|(_, bytes, _)| bytes.clone()).collect();
    let added = founder.adds(&packages);
    let mut sent: Vec<Vec<u8>> = packages;
    sent.extend([added.commit, added.welcome.clone()]);
    let mut nodes = vec![founder];
    for (person, _, secret) in invited.drain(..) {
        nodes.push(Node::new(
            person,
            MlsThread::join(&added.welcome, &secret).unwrap().thread,
        ));
    }
    for committer in [3, 0, 11] {
        let commit = nodes[committer].renews();
        others(&mut nodes, committer).for_each(|node| drop(node.follows(&commit)));
        sent.push(commit);
        let message = nodes[committer].says("a message in the new state");
        others(&mut nodes, committer).for_each(|node| drop(node.hears(&message)));
        sent.push(message);
    }
    let gone = nodes[5].thread.own_leaf_index();
    let step = nodes[0].person.seed();
    let commit = nodes[0].thread.remove(&[gone], step).unwrap().commit;
    nodes.remove(5);
    others(&mut nodes, 0).for_each(|node| drop(node.follows(&commit)));
    sent.push(commit);
    nodes
        .iter_mut()
        .for_each(|node| node.stores(Ratchet::Write));
    sent.extend(nodes.iter().flat_map(|node| node.rows.values().cloned()));
    sent.extend(nodes.iter().map(|node| node.thread.parent().0.to_vec()));
    sent
}

///
#[test]
fn twenty_seeds_replay_to_the_byte() {
    for seed in 1..=SEEDS {
        let (first, second) = (run(seed), run(seed));
        for (at, (one, other)) in first.iter().zip(&second).enumerate() {
            assert_eq!(one, other, "seed {seed}, envelope {at}");
        }
        assert_eq!(first.len(), second.len());
        assert_eq!(
            first[first.len() - 1],
            first[first.len() - 2],
            "all end in one state"
        );
    }
}

///
#[test]
fn another_seed_sends_other_bytes() {
    let (first, second) = (run(1), run(2));
    assert!(first.iter().zip(&second).all(|(one, other)| one != other));
}
