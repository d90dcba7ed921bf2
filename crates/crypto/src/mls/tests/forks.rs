// SPDX-License-Identifier: MIT OR Apache-2.0
//! The fork test: three to seven devices change a thread at once, with nobody to order it, and crash between any two
//! steps. All honest members end in one state, and each message is read once by every member of the state it was
//! sent in.

mod world;

use world::World;

///
#[test]
#[ignore = "not yet seen to pass: the world around the threads is not finished"]
fn whatever_the_order_all_end_in_one_state_and_read_everything_once() {
    for seed in 1..=24 {
        let told = World::new(seed).run();
        println!("seed {seed}: {told:?}");
    }
}

#[test]
#[ignore = "hundreds of seeds: minutes"]
fn hundreds_of_seeds_end_in_one_state() {
    let first = 1_000;
    let mut sum = world::Told::default();
    for seed in first..first + 400 {
        sum.add(&World::new(seed).run());
    }
    println!("{sum:?}");
}
