// SPDX-License-Identifier: MIT OR Apache-2.0
//! The boot number: compared and set, by one key for itself.

use comptoir_protocol::frame::{BoxKind, RelayAnswer, RelayRequest};
use comptoir_protocol::id::Lane;
use comptoir_protocol::signed::public_key;
use ed25519_dalek::SigningKey;

use super::world::{DAY, World};

fn boot(world: &mut World, key: &SigningKey, expected: u64, next: u64) -> RelayAnswer {
    world.ask(
        key,
        &RelayRequest::Boot {
            reader: public_key(key),
            expected,
            next,
        },
    )
}

///
#[test]
fn a_boot_number_is_set_for_the_first_and_not_for_its_clone() {
    for restless in [false, true] {
        let mut world = World::open();
        world.restless = restless;
        let own = world.own(BoxKind::Boot, Lane::Service);
        assert_eq!(
            boot(&mut world, &own.reader, 0, 1),
            RelayAnswer::Boot {
                current: 1,
                set: true
            }
        );
        assert_eq!(
            boot(&mut world, &own.reader, 1, 2),
            RelayAnswer::Boot {
                current: 2,
                set: true
            }
        );
        // A copy restored from yesterday's image believes that it is still 1.
        assert_eq!(
            boot(&mut world, &own.reader, 1, 2),
            RelayAnswer::Boot {
                current: 2,
                set: false
            }
        );
        assert_eq!(
            boot(&mut world, &own.reader, 0, 9),
            RelayAnswer::Boot {
                current: 2,
                set: false
            }
        );
        assert!(matches!(
            boot(&mut world, &own.reader, 2, 2),
            RelayAnswer::Error { .. }
        ));
        assert_eq!(
            boot(&mut world, &own.reader, 2, 7),
            RelayAnswer::Boot {
                current: 7,
                set: true
            }
        );
    }
}

///
#[test]
fn a_boot_number_belongs_to_its_key_alone() {
    let mut world = World::open();
    let own = world.own(BoxKind::Boot, Lane::Service);
    let thread = world.thread_box();
    let request = RelayRequest::Boot {
        reader: public_key(&own.reader),
        expected: 0,
        next: 1,
    };
    for key in [&own.owner, &thread.reader] {
        assert_eq!(world.ask(key, &request), RelayAnswer::Denied);
    }
    assert_eq!(world.ask_unsigned(&request), RelayAnswer::Denied);
    // A reader of a thread's box has none.
    assert_eq!(boot(&mut world, &thread.reader, 0, 1), RelayAnswer::Denied);
    assert_eq!(
        boot(&mut world, &own.reader, 0, 1),
        RelayAnswer::Boot {
            current: 1,
            set: true
        }
    );
    // Somebody names our key in a boot box of theirs: refused, and ours goes on.
    let pest = world.key();
    assert_eq!(
        world.create(&pest, &[&own.reader], BoxKind::Boot, Lane::Service, None),
        RelayAnswer::Denied
    );
    assert_eq!(
        boot(&mut world, &own.reader, 1, 2),
        RelayAnswer::Boot {
            current: 2,
            set: true
        }
    );
}

#[test]
fn a_boot_number_outlives_a_year_without_a_start_and_ends_with_its_reader() {
    let mut world = World::open();
    let own = world.own(BoxKind::Boot, Lane::Service);
    let second = world.add_reader(&own);
    boot(&mut world, &own.reader, 0, 5);
    boot(&mut world, &second, 0, 3);
    world.later(400 * DAY);
    world.sweep();
    assert_eq!(
        boot(&mut world, &own.reader, 5, 6),
        RelayAnswer::Boot {
            current: 6,
            set: true
        }
    );
    let remove = RelayRequest::ReaderRemove {
        rid: own.rid,
        reader: public_key(&second),
    };
    assert_eq!(world.ask(&own.owner, &remove), RelayAnswer::Ok);
    assert_eq!(boot(&mut world, &second, 3, 4), RelayAnswer::Denied);
    world.ask(&own.owner, &RelayRequest::Delete { rid: own.rid });
    assert_eq!(boot(&mut world, &own.reader, 6, 7), RelayAnswer::Denied);
}
