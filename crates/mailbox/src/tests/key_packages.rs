// SPDX-License-Identifier: MIT OR Apache-2.0
//! Key packages: each once, to contacts only.

use std::collections::BTreeSet;

use comptoir_protocol::frame::{RelayAnswer, RelayRequest};
use comptoir_protocol::limits::POOLED_PACKAGE_BYTES_MAX;

use super::world::{Cap, DAY, Own, World, generous};
use crate::{PACKAGE_KEPT_MS, PACKAGES_MAX, PACKAGES_TAKEN_A_DAY_MAX};

fn stock(world: &mut World, own: &Own, packages: Vec<Vec<u8>>) -> RelayAnswer {
    world.ask(
        &own.owner,
        &RelayRequest::KeyPackagesPut {
            rid: own.rid,
            packages,
        },
    )
}

fn take(world: &mut World, cap: &Cap) -> RelayAnswer {
    world.ask(
        &cap.writer,
        &RelayRequest::KeyPackageTake {
            sid: cap.sid,
            capability: cap.id,
        },
    )
}

///
#[test]
fn a_key_package_is_served_once() {
    for restless in [false, true] {
        let mut world = World::open();
        world.restless = restless;
        let own = world.thread_box();
        let (bob, carol) = (world.grant(&own, generous()), world.grant(&own, generous()));
        let packages: Vec<Vec<u8>> = (0..6).map(|n| vec![n; 300]).collect();
        assert_eq!(
            stock(&mut world, &own, packages),
            RelayAnswer::KeyPackage {
                package: None,
                left: 6
            }
        );
        let mut served = BTreeSet::new();
        for n in 0..6 {
            let cap = if n % 2 == 0 { &bob } else { &carol };
            let RelayAnswer::KeyPackage {
                package: Some(package),
                left,
            } = take(&mut world, cap)
            else {
                panic!("no package");
            };
            assert_eq!(left, 5 - n);
            assert!(served.insert(package), "served twice");
        }
        assert_eq!(
            take(&mut world, &bob),
            RelayAnswer::KeyPackage {
                package: None,
                left: 0
            }
        );
    }
}

///
#[test]
fn key_packages_are_for_a_live_capability_and_one_of_them_cannot_empty_the_pool() {
    let mut world = World::open();
    let own = world.thread_box();
    let cap = world.grant(&own, generous());
    for _ in 0..PACKAGES_MAX / 24 {
        stock(
            &mut world,
            &own,
            vec![vec![1; POOLED_PACKAGE_BYTES_MAX]; 24],
        );
    }
    assert_eq!(stock(&mut world, &own, vec![vec![1]]), RelayAnswer::Full);
    for _ in 0..PACKAGES_TAKEN_A_DAY_MAX {
        assert!(matches!(
            take(&mut world, &cap),
            RelayAnswer::KeyPackage {
                package: Some(_),
                ..
            }
        ));
    }
    assert!(matches!(take(&mut world, &cap), RelayAnswer::Rate { .. }));
    world.later(DAY);
    assert!(matches!(
        take(&mut world, &cap),
        RelayAnswer::KeyPackage {
            package: Some(_),
            ..
        }
    ));
    world.ask(
        &own.owner,
        &RelayRequest::Revoke {
            rid: own.rid,
            capability: cap.id,
            purge: false,
        },
    );
    assert_eq!(take(&mut world, &cap), RelayAnswer::Denied);
}

///
#[test]
fn a_package_that_ended_is_handed_to_nobody_and_leaves_its_place() {
    for swept in [false, true] {
        let mut world = World::open();
        let own = world.thread_box();
        let cap = world.grant(&own, generous());
        let pool = |left| RelayAnswer::KeyPackage {
            package: None,
            left,
        };
        assert_eq!(stock(&mut world, &own, vec![vec![1; 9]; 24]), pool(24));
        world.later(PACKAGE_KEPT_MS / 2);
        assert_eq!(stock(&mut world, &own, vec![vec![2; 9]]), pool(25));
        world.later(PACKAGE_KEPT_MS - PACKAGE_KEPT_MS / 2);
        if swept {
            let rows = world.rows();
            world.sweep();
            assert_eq!(
                world.rows(),
                rows - 24,
                "the ended ones are gone by themselves"
            );
        }
        assert_eq!(
            take(&mut world, &cap),
            RelayAnswer::KeyPackage {
                package: Some(vec![2; 9]),
                left: 0
            }
        );
        assert_eq!(take(&mut world, &cap), pool(0));
        // A pool full of what has ended takes new ones.
        for _ in 0..PACKAGES_MAX / 24 {
            stock(&mut world, &own, vec![vec![3; 9]; 24]);
        }
        world.later(PACKAGE_KEPT_MS);
        assert_eq!(stock(&mut world, &own, vec![vec![4; 9]]), pool(1));
    }
}

#[test]
fn packages_of_no_size_or_too_large_a_size_are_refused_together() {
    let mut world = World::open();
    let own = world.thread_box();
    let rows = world.rows();
    for packages in [
        vec![vec![1; 9], vec![]],
        vec![vec![1; 9], vec![1; POOLED_PACKAGE_BYTES_MAX + 1]],
    ] {
        assert!(matches!(
            stock(&mut world, &own, packages),
            RelayAnswer::Error { .. }
        ));
    }
    assert_eq!(world.rows(), rows);
}
