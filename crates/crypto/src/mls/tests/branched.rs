// SPDX-License-Identifier: MIT OR Apache-2.0
//! Branches with real states: rivals, ways back, rows, and what somebody outside or inside may try.

use comptoir_protocol::Signed;
use comptoir_protocol::acknowledgement::AckVector;
use comptoir_protocol::id::ParentHash;
use comptoir_protocol::time::Time;

use super::*;

const NOW: Time = Time {
    wall_ms: NOW_MS,
    mono_ms: NOW_MS,
    boot: [1; 16],
};

/// Somebody in a branched thread, and the rows it is stored in.
struct Holder {
    person: Person,
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
    thread: BranchedThread,
}

impl Holder {
    fn new(node: Node) -> Self {
        let mut holder = Self {
            person: node.person,
            rows: node.rows,
            thread: BranchedThread::new(node.thread, NOW),
        };
        holder.stores();
        holder
    }

    fn stores(&mut self) -> Vec<Vec<u8>> {
        let changes = self.thread.take_changes(Ratchet::Write);
        let keys = changes.keys().cloned().collect();
        for (key, change) in changes {
            match change {
                RowChange::Put(row) => self.rows.insert(key, row),
                RowChange::Delete => self.rows.remove(&key),
            };
        }
        keys
    }

    fn restarts(&mut self) {
        self.thread = BranchedThread::load(&self.rows, NOW).unwrap();
    }

    fn renews(&mut self) -> Committed {
        let seed = self.person.seed();
        let made = self.thread.self_update(&self.rows, seed, NOW).unwrap();
        self.stores();
        made
    }

    fn says(&mut self, text: &str) -> (ParentHash, Vec<u8>) {
        let (seed, state) = (self.person.seed(), self.thread.head());
        let bytes = self
            .thread
            .encrypt(text.as_bytes(), &state.0, seed)
            .unwrap();
        self.stores();
        (state, bytes)
    }

    fn reads(&mut self, message: &(ParentHash, Vec<u8>)) -> Result<String, ReadError> {
        let (state, bytes) = message;
        let opened = self.thread.decrypt(&self.rows, *state, bytes, &state.0)?;
        self.stores();
        Ok(String::from_utf8(opened.plaintext).unwrap())
    }

    fn takes(&mut self, made: &Committed) -> Received {
        let taken = self
            .thread
            .receive_commit(&self.rows, made.parent, &made.commit, NOW)
            .unwrap();
        self.stores();
        taken
    }

    fn signs(&mut self) -> Signed<AckVector> {
        let context = self.thread.live().context();
        let vector = AckVector {
            thread: context.thread,
            incarnation: context.incarnation,
            parent: self.thread.head(),
            entries: Vec::new(),
        };
        let signed = self.thread.sign(&vector);
        self.stores();
        signed
    }

    fn hears_of(&mut self, vector: &Signed<AckVector>) -> Result<Option<Moved>, AcknowledgeError> {
        let moved = self.thread.acknowledge(&self.rows, vector, NOW)?;
        self.stores();
        Ok(moved)
    }
}

fn holders(size: usize, seed: u64) -> Vec<Holder> {
    group(size, seed).into_iter().map(Holder::new).collect()
}

/// Two of a group renew at once. The first of the two that come back has the smaller rank.
fn rivals(holders: &mut [Holder]) -> [(usize, Committed); 2] {
    let (one, other) = (holders[0].renews(), holders[1].renews());
    let moved = holders[0].takes(&other).moved.is_some();
    holders[1].takes(&one);
    if moved {
        [(1, other), (0, one)]
    } else {
        [(0, one), (1, other)]
    }
}

/// R-3.4, R-3.7.
#[test]
fn rivals_end_in_one_state_and_the_losers_messages_are_read() {
    let mut holders = holders(3, 100);
    let mut said = Vec::new();
    let commits: Vec<_> = (0..2)
        .map(|at| {
            let made = holders[at].renews();
            said.push(holders[at].says(&format!("by {at}, before it knew")));
            made
        })
        .collect();
    // The third hears a message, a commit, the other message, the other commit, in whatever order.
    assert!(matches!(
        holders[2].reads(&said[1]),
        Err(ReadError::UnknownState { .. })
    ));
    for at in [1, 0] {
        holders[2].takes(&commits[at]);
        holders[2].restarts();
    }
    holders[0].takes(&commits[1]);
    holders[1].takes(&commits[0]);
    let head = holders[0].thread.head();
    for (at, holder) in holders.iter_mut().enumerate() {
        holder.restarts();
        assert_eq!(holder.thread.head(), head);
        for (author, message) in said.iter().enumerate() {
            let read = holder.reads(message);
            if author == at {
                assert!(matches!(read, Err(ReadError::Decrypt(DecryptError::Own))));
            } else {
                assert_eq!(read.unwrap(), format!("by {author}, before it knew"));
                holder.restarts();
                assert!(matches!(
                    holder.reads(message),
                    Err(ReadError::Decrypt(DecryptError::Used))
                ));
            }
        }
    }
    for at in 0..3 {
        let message = holders[at].says("after all");
        for other in (0..3).filter(|other| *other != at) {
            assert_eq!(holders[other].reads(&message).unwrap(), "after all");
        }
    }
}

/// R-3.5, R-3.7, R-8.2.
/// Alice leaves a state and comes back to it, and her ratchet there goes on where it was: no key seals twice.
#[test]
fn a_state_that_is_the_head_again_goes_on_where_its_ratchets_were() {
    let mut holders = holders(5, 101);
    let (one, other) = (holders[0].renews(), holders[1].renews());
    // Whoever has the larger rank will have to leave; it is called the loser here.
    let mut probe = holders.remove(4);
    probe.takes(&one);
    let loser = usize::from(probe.takes(&other).moved.is_none());
    let commits = [one, other];
    let of_loser = commits[loser].parent;
    let state = holders[loser].thread.head();
    let first = holders[loser].says("first");
    for at in [2, 3] {
        holders[at].takes(&commits[loser]);
        assert_eq!(holders[at].reads(&first).unwrap(), "first");
    }
    assert!(holders[loser].takes(&commits[1 - loser]).moved.is_some());
    assert_ne!(holders[loser].thread.head(), state);
    holders[loser].restarts();
    holders[loser].says("on the other branch");
    // Two of the five, and the loser itself, stand by its commit: that is final.
    let words: Vec<_> = [2, 3].map(|at| holders[at].signs()).into();
    assert_eq!(holders[loser].hears_of(&words[0]).unwrap(), None);
    let moved = holders[loser].hears_of(&words[1]).unwrap().unwrap();
    assert_eq!(moved.to, state);
    holders[loser].restarts();
    let second = holders[loser].says("second");
    assert_eq!((second.0, of_loser), (state, commits[loser].parent));
    assert_eq!(holders[2].reads(&second).unwrap(), "second");
    assert_eq!(holders[3].reads(&second).unwrap(), "second");
}

#[test]
fn the_rows_of_a_state_that_is_left_go_out_with_those_of_the_next() {
    let mut holders = holders(2, 102);
    let parent = holders[0].thread.head();
    let seed = holders[0].person.seed();
    let before = holders[0].rows.clone();
    let made = holders[0].thread.self_update(&before, seed, NOW).unwrap();
    let keys = holders[0].stores();
    let kept = |row: &[u8]| [b"s", parent.0.as_slice(), row].concat();
    for key in [
        kept(b"g"),
        kept(b"r"),
        b"g".to_vec(),
        b"r".to_vec(),
        b"b".to_vec(),
    ] {
        assert!(keys.contains(&key));
    }
    assert_eq!(holders[0].rows[&kept(b"g")], before[&b"g"[..]]);
    let rows = holders[1].rows.clone();
    holders[1]
        .thread
        .receive_commit(&rows, made.parent, &made.commit, NOW)
        .unwrap();
    // The power fails before the changes are stored: nothing of it is there, and the commit is taken again.
    holders[1].restarts();
    assert_eq!(holders[1].thread.head(), parent);
    assert_eq!(holders[1].takes(&made).moved.unwrap().from, parent);
    assert!(holders[1].takes(&made).known);
}

/// What fails leaves everything as it was.
#[test]
fn a_commit_that_may_not_be_made_or_taken_changes_nothing() {
    let mut holders = holders(3, 103);
    let head = holders[1].thread.head();
    let theirs = holders[2].thread.live().own_leaf_index();
    let seed = holders[1].person.seed();
    let rows = holders[1].rows.clone();
    assert!(matches!(
        holders[1].thread.remove(&rows, &[theirs], seed, NOW),
        Err(CommitError::Fault(CommitFault::NotAllowed { .. }))
    ));
    assert_eq!(holders[1].thread.head(), head);
    let message = holders[1].says("still here");
    assert_eq!(holders[0].reads(&message).unwrap(), "still here");
    let made = holders[0].renews();
    for at in (0..made.commit.len()).step_by(29) {
        let mut bent = made.commit.clone();
        bent[at] ^= 1;
        let rows = holders[1].rows.clone();
        assert!(
            holders[1]
                .thread
                .receive_commit(&rows, made.parent, &bent, NOW)
                .is_err()
        );
    }
    let rows = holders[1].rows.clone();
    assert!(matches!(
        holders[1]
            .thread
            .receive_commit(&rows, ParentHash([7; 32]), &made.commit, NOW),
        Err(ReceiveError::UnknownParent { .. })
    ));
    assert_eq!(holders[1].rows, rows);
    assert_eq!(
        holders[1].takes(&made).moved.unwrap().to,
        holders[0].thread.head()
    );
}

/// R-3.5.
#[test]
fn a_forged_acknowledgement_counts_for_nobody() {
    let mut holders = holders(3, 104);
    let [_, (loser, made)] = rivals(&mut holders);
    let head = holders[0].thread.head();
    let context = holders[0].thread.live().context().clone();
    let vector = AckVector {
        thread: context.thread,
        incarnation: 1,
        parent: made.summary.child,
        entries: Vec::new(),
    };
    let mut eve = Person::new(105);
    let winner = 1 - loser;
    let by_eve = eve.leaf().key.sign(&vector);
    assert!(matches!(
        holders[winner].hears_of(&by_eve),
        Err(AcknowledgeError::NotAMember)
    ));
    let elsewhere = AckVector {
        incarnation: 2,
        ..vector.clone()
    };
    let elsewhere = holders[2].thread.live().sign(&elsewhere);
    assert!(matches!(
        holders[winner].hears_of(&elsewhere),
        Err(AcknowledgeError::OtherThread)
    ));
    let bytes = comptoir_protocol::Wire::to_bytes(&holders[2].thread.live().sign(&vector));
    let mut bent = bytes;
    let end = bent.len() - 1;
    bent[end] ^= 1;
    let bent = comptoir_protocol::Wire::from_bytes(&bent).unwrap();
    assert!(matches!(
        holders[winner].hears_of(&bent),
        Err(AcknowledgeError::Unproved(_))
    ));
    assert_eq!(holders[winner].thread.head(), head);
    // The real word of the third, with the loser's own, is two of three: that is final.
    let real = holders[2].thread.live().sign(&vector);
    assert_eq!(
        holders[winner].hears_of(&real).unwrap().unwrap().to,
        made.summary.child
    );
}

/// Two owners remove each other. Everybody keeps the same one, and the other sees that it is out.
#[test]
fn of_two_owners_who_remove_each_other_one_stays() {
    let mut context = ComptoirContext::new(thread_id(106), ThreadKind::Group);
    context.roles = (0..2)
        .map(|at| RoleEntry {
            account: Person::new(106_000 + at).account.keys.account(),
            role: Role::Owner,
        })
        .collect();
    context.roles.sort_by_key(|entry| entry.account);
    let mut holders: Vec<_> = group_in(context, 4, 106)
        .into_iter()
        .map(Holder::new)
        .collect();
    let made: Vec<_> = (0..2)
        .map(|at| {
            let leaf = holders[1 - at].thread.live().own_leaf_index();
            let seed = holders[at].person.seed();
            let Holder { rows, thread, .. } = &mut holders[at];
            let made = thread.remove(rows, &[leaf], seed, NOW).unwrap();
            holders[at].stores();
            made
        })
        .collect();
    holders[0].takes(&made[1]);
    holders[1].takes(&made[0]);
    for at in [2, 3] {
        holders[at].takes(&made[at - 2]);
        holders[at].takes(&made[3 - at]);
    }
    for holder in &mut holders {
        holder.restarts();
    }
    assert_eq!(holders[2].thread.head(), holders[3].thread.head());
    let stays = usize::from(!holders[0].thread.live().is_active());
    assert_eq!(holders[stays].thread.head(), holders[2].thread.head());
    let gone = &mut holders[1 - stays];
    assert!(!gone.thread.live().is_active());
    let seed = gone.person.seed();
    assert!(matches!(
        gone.thread.encrypt(b"x", b"", seed),
        Err(EncryptError::Removed)
    ));
}

#[test]
fn a_thread_that_was_kept_without_branches_begins_them_when_it_is_opened() {
    let (alice, mut bob) = pair(107);
    let mut alice = Holder {
        thread: BranchedThread::load(&alice.rows, NOW).unwrap(),
        person: alice.person,
        rows: alice.rows,
    };
    alice.stores();
    alice.restarts();
    let made = alice.renews();
    bob.follows(&made.commit);
    let message = bob.says("still we talk");
    assert_eq!(
        alice.reads(&(bob.thread.parent(), message)).unwrap(),
        "still we talk"
    );
    // A tree of one thread beside the rows of another is refused.
    let (other, _) = pair(108);
    let mut mixed = alice.rows.clone();
    mixed.extend(other.rows);
    assert!(matches!(
        BranchedThread::load(&mixed, NOW),
        Err(OpenError::OtherHead { .. })
    ));
    let mut newer = alice.rows.clone();
    newer.get_mut(&b"b"[..]).unwrap()[0] = 2;
    assert!(matches!(
        BranchedThread::load(&newer, NOW),
        Err(OpenError::Load(LoadError::Record(RecordError::Newer {
            version: 2
        })))
    ));
}

/// R-3.11.
/// The Welcome that brought Bob in comes again: it would put used ratchets in the place of those he has.
#[test]
fn a_welcome_that_is_played_again_replaces_nothing() {
    let mut alice =
        Person::new(110).founds(ComptoirContext::new(thread_id(110), ThreadKind::Group));
    let mut bob = Person::new(111);
    let (package, secret) = bob.package();
    let welcome = alice.adds(&[package]).welcome;
    let join = || MlsThread::join(&welcome, &secret).unwrap().thread;
    let (mut alice, mut bob) = (Holder::new(alice), Holder::new(Node::new(bob, join())));
    let message = alice.says("once");
    assert_eq!(bob.reads(&message).unwrap(), "once");
    assert!(matches!(
        bob.thread.replace(join(), NOW),
        Err(ReplaceError::Known { .. })
    ));
    assert!(matches!(
        bob.reads(&message),
        Err(ReadError::Decrypt(DecryptError::Used))
    ));
}

/// R-3.13.
/// What all have left is forgotten: no row of it stays.
#[test]
fn the_rows_of_a_state_that_all_have_left_are_deleted() {
    let mut holders = holders(3, 109);
    for round in 0..4 {
        let by = round % 3;
        let made = holders[by].renews();
        for at in (0..3).filter(|at| *at != by) {
            holders[at].takes(&made);
        }
        for at in 0..3 {
            let word = holders[at].signs();
            for other in (0..3).filter(|other| *other != at) {
                holders[other].hears_of(&word).unwrap();
            }
        }
    }
    for holder in &mut holders {
        let rows = BTreeMap::clone(&holder.rows);
        holder.thread.tick(&rows, NOW).unwrap();
        holder.stores();
        assert_eq!(holder.rows.len(), 3, "g, r and b");
        holder.restarts();
    }
}
