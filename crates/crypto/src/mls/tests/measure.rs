// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a message costs, printed: `cargo test --profile ci -p comptoir-crypto measure -- --ignored --nocapture`.

use std::time::Instant;

use super::*;

/// Messages for each figure; every 64th step closes a group of steps.
const MESSAGES: usize = 512;
const GROUP_OF_STEPS: usize = 64;

fn median(mut micros: Vec<f64>) -> f64 {
    micros.sort_by(f64::total_cmp);
    micros[micros.len() / 2]
}

fn measure(members: usize) {
    let began = Instant::now();
    let mut nodes = group(members, 90);
    let built_ms = began.elapsed().as_millis();
    let (mut sender, mut receiver) = (nodes.remove(0), nodes.remove(0));
    let parent = sender.thread.parent();
    let (mut encrypt, mut send_row, mut decrypt, mut receive_row) =
        (vec![], vec![], vec![], vec![]);
    let mut bytes = 0;
    for number in 0..MESSAGES {
        let seed = sender.person.seed();
        let clock = Instant::now();
        let message = sender.thread.encrypt(&[7; 200], &parent.0, seed).unwrap();
        encrypt.push(clock.elapsed().as_secs_f64() * 1e6);
        bytes = message.len();
        let clock = Instant::now();
        sender.stores(Ratchet::Defer);
        send_row.push(clock.elapsed().as_secs_f64() * 1e6);
        let clock = Instant::now();
        receiver.thread.decrypt(&message, &parent.0).unwrap();
        decrypt.push(clock.elapsed().as_secs_f64() * 1e6);
        if number % GROUP_OF_STEPS == GROUP_OF_STEPS - 1 {
            let clock = Instant::now();
            receiver.stores(Ratchet::Write);
            receive_row.push(clock.elapsed().as_secs_f64() * 1e6);
        }
    }
    let clock = Instant::now();
    receiver.restarts();
    let load = clock.elapsed().as_secs_f64() * 1e6;
    let rows: Vec<_> = receiver.rows.values().map(Vec::len).collect();
    println!(
        "{members} members: built in {built_ms} ms; encrypt {:.0} us, its row {:.0} us; decrypt {:.0} us, a row each \
         {GROUP_OF_STEPS} {:.0} us; 200 bytes become {bytes}; rows {rows:?} bytes; load {load:.0} us; memory {} bytes",
        median(encrypt),
        median(send_row),
        median(decrypt),
        median(receive_row),
        receiver.thread.memory_bytes(),
    );
}

#[test]
#[ignore = "prints figures, judges none"]
fn measure_messages() {
    measure(2);
    measure(20);
    measure(100);
}

#[test]
#[ignore = "prints figures, judges none"]
fn measure_memory() {
    let resident = || {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
    };
    for (members, copies) in [(2, 5_000), (20, 4_000), (100, 4_000)] {
        let node = group(members, 91).remove(1);
        let before = resident();
        let threads: Vec<_> = (0..copies)
            .map(|_| MlsThread::load(&node.rows).unwrap())
            .collect();
        let claimed: usize = threads.iter().map(MlsThread::memory_bytes).sum();
        println!(
            "{members} members, {copies} loaded: {} bytes each resident, {} claimed, {} in rows",
            (resident() - before) / copies,
            claimed / copies,
            node.rows.values().map(Vec::len).sum::<usize>(),
        );
    }
}

#[test]
#[ignore = "prints figures, judges none"]
fn measure_rows() {
    let (mut alice, mut bob) = pair(92);
    for round in 0..4 {
        for (who, node) in [("alice", &alice), ("bob", &bob)] {
            let (_, known, slots) = record::read_group(&node.rows[&b"g"[..]]).unwrap();
            let sizes: Vec<_> = slots
                .0
                .iter()
                .map(|(key, value)| (key[0], value.len()))
                .collect();
            let known = known.len();
            println!(
                "{who} after {round} renewals: g {} r {}, {known} known, slots {sizes:?}",
                node.rows[&b"g"[..]].len(),
                node.rows[&b"r"[..]].len()
            );
        }
        let commit = alice.renews();
        bob.follows(&commit);
        bob.stores(Ratchet::Write);
    }
}

/// `branch.rewrite_p50`: restoring the parent's snapshot and merging the winner into it.
#[test]
#[ignore = "prints figures, judges none"]
fn measure_rewrites() {
    use comptoir_protocol::time::Time;
    const ROUNDS: usize = 21;
    let now = Time {
        wall_ms: NOW_MS,
        mono_ms: NOW_MS,
        boot: [1; 16],
    };
    for members in [2, 20, 100] {
        let mut nodes = group(members, 93);
        // Everybody has committed once, up to twenty: a tree as it is in use.
        for committer in 0..members.min(20) {
            let commit = nodes[committer].renews();
            others(&mut nodes, committer).for_each(|node| drop(node.follows(&commit)));
        }
        let (mut rival, kept) = (nodes.remove(1), nodes.remove(0));
        let winner = rival.renews();
        let (mut rewrites, mut takes, mut bytes) = (vec![], vec![], 0);
        for _ in 0..ROUNDS {
            let clock = Instant::now();
            let mut thread = MlsThread::load(&kept.rows).unwrap();
            thread.process_commit(&winner).unwrap();
            let rows = thread.take_changes(Ratchet::Write);
            rewrites.push(clock.elapsed().as_secs_f64() * 1e6);
            bytes = rows
                .values()
                .map(|change| match change {
                    RowChange::Put(row) => row.len(),
                    RowChange::Delete => 0,
                })
                .sum();
            let mut branched = BranchedThread::load(&kept.rows, now).unwrap();
            let parent = branched.head();
            let clock = Instant::now();
            branched
                .receive_commit(&kept.rows, parent, &winner, now)
                .unwrap();
            branched.take_changes(Ratchet::Write);
            takes.push(clock.elapsed().as_secs_f64() * 1e6);
        }
        println!(
            "branch.rewrite_p50 {members} members: {:.0} us, a commit of {} bytes, rows of {bytes} bytes; with its \
             place in the tree and the rows moved {:.0} us",
            median(rewrites),
            winner.len(),
            median(takes),
        );
    }
}
