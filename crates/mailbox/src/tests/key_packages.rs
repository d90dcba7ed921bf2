// SPDX-License-Identifier: MIT OR Apache-2.0
//! Key packages: each once, to contacts only.

use std::collections::BTreeSet;

use comptoir_protocol::frame::{RelayAnswer, RelayRequest};

use super::world::{Cap, DAY, Own, World, generous};
use crate::{PACKAGES_MAX, PACKAGES_TAKEN_A_DAY_MAX};

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
        stock(&mut world, &own, vec![vec![1; 2_048]; 24]);
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

#[test]
fn packages_of_no_size_or_too_large_a_size_are_refused_together() {
    let mut world = World::open();
    let own = world.thread_box();
    let rows = world.rows();
    for packages in [vec![vec![1; 9], vec![]], vec![vec![1; 9], vec![1; 2_049]]] {
        assert!(matches!(
            stock(&mut world, &own, packages),
            RelayAnswer::Error { .. }
        ));
    }
    assert_eq!(world.rows(), rows);
}
