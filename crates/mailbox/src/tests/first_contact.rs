// SPDX-License-Identifier: MIT OR Apache-2.0
//! First contact: a stranger at a front door, with a token, with a puzzle, and in a flood.

use comptoir_protocol::frame::{Admission, BoxKind, RelayAnswer, RelayRequest};
use comptoir_protocol::id::{CapabilityId, Lane, Sid};
use comptoir_protocol::invite::InviteToken;
use comptoir_protocol::puzzle::{Puzzle, PuzzleSolution};
use comptoir_protocol::signed::Signed;

use super::world::{DAY, HOUR, Own, START_MS, World, generous, is_stored, mid};
use crate::{REQUESTS_BY_PUZZLE_MAX, REQUESTS_MAX};

pub(super) fn token(world: &mut World, door: &Own, uses: u32) -> Signed<InviteToken> {
    let id = world.key().to_bytes()[..16].try_into().unwrap();
    Signed::sign(
        &InviteToken {
            id,
            not_after_ms: START_MS + 30 * DAY,
            uses,
        },
        &door.owner,
    )
}

fn knock(
    world: &mut World,
    sid: Sid,
    name: u32,
    bytes: usize,
    admission: Admission,
) -> RelayAnswer {
    world.ask_unsigned(&RelayRequest::PutOpen {
        sid,
        mid: mid(name),
        blob: vec![name as u8; bytes],
        admission,
    })
}

pub(super) fn knock_with_token(
    world: &mut World,
    door: &Own,
    token: &Signed<InviteToken>,
    name: u32,
    bytes: usize,
) -> RelayAnswer {
    knock(
        world,
        door.sid,
        name,
        bytes,
        Admission::Token(token.clone()),
    )
}

fn puzzle(world: &mut World, sid: Sid) -> Puzzle {
    match world.ask_unsigned(&RelayRequest::Puzzle { sid }) {
        RelayAnswer::PuzzleSet(puzzle) => puzzle,
        other => panic!("no puzzle: {other:?}"),
    }
}

fn solve(puzzle: &Puzzle) -> PuzzleSolution {
    puzzle.solve_step(0, u64::MAX).unwrap()
}

pub(super) fn knock_with_puzzle(
    world: &mut World,
    door: &Own,
    name: u32,
    bytes: usize,
) -> RelayAnswer {
    let solution = solve(&puzzle(world, door.sid));
    knock(world, door.sid, name, bytes, Admission::Puzzle(solution))
}

fn door(world: &mut World) -> Own {
    world.own(BoxKind::FrontDoor, Lane::Service)
}

///
#[test]
fn a_hello_with_a_token_or_a_puzzle_lies_there_for_7_days() {
    for restless in [false, true] {
        let mut world = World::open();
        world.restless = restless;
        let door = door(&mut world);
        let rows = world.rows();
        let invited = token(&mut world, &door, 1);
        assert!(is_stored(&knock_with_token(
            &mut world, &door, &invited, 1, 4_096
        )));
        assert_eq!(world.news.len(), 1);
        assert!(is_stored(&knock_with_puzzle(&mut world, &door, 2, 4_096)));
        let hellos = world.fetch(&door, &door.reader);
        assert_eq!(hellos.len(), 2);
        assert!(
            hellos
                .iter()
                .all(|hello| hello.capability.is_none() && hello.blob.len() == 4_096)
        );
        world.later(7 * DAY);
        world.sweep();
        assert_eq!(world.names(&door, &door.reader), [0; 0]);
        // The token's use is remembered until the token ends.
        assert_eq!(world.rows(), rows + 1);
        world.later(23 * DAY);
        world.sweep();
        assert_eq!(world.rows(), rows);
    }
}

#[test]
fn a_token_opens_as_often_as_it_says_and_a_retry_does_not_count() {
    let mut world = World::open();
    let door = door(&mut world);
    let invited = token(&mut world, &door, 2);
    assert!(is_stored(&knock_with_token(
        &mut world, &door, &invited, 1, 100
    )));
    assert_eq!(
        knock_with_token(&mut world, &door, &invited, 1, 100),
        RelayAnswer::Duplicate
    );
    assert!(is_stored(&knock_with_token(
        &mut world, &door, &invited, 2, 100
    )));
    assert_eq!(
        knock_with_token(&mut world, &door, &invited, 3, 100),
        RelayAnswer::Denied
    );
    // The last use's own retry after a lost answer is still a success.
    assert_eq!(
        knock_with_token(&mut world, &door, &invited, 2, 100),
        RelayAnswer::Duplicate
    );
}

#[test]
fn an_expired_revoked_or_forged_token_is_denied_and_so_is_another_doors() {
    let mut world = World::open();
    let (door, other) = (door(&mut world), door(&mut world));
    let expired = Signed::sign(
        &InviteToken {
            id: [1; 16],
            not_after_ms: START_MS,
            uses: 9,
        },
        &door.owner,
    );
    let stranger = world.key();
    let forged = Signed::sign(
        &InviteToken {
            id: [2; 16],
            not_after_ms: START_MS + DAY,
            uses: 9,
        },
        &stranger,
    );
    let others = token(&mut world, &other, 9);
    let revoked = Signed::sign(
        &InviteToken {
            id: [3; 16],
            not_after_ms: START_MS + DAY,
            uses: 9,
        },
        &door.owner,
    );
    assert!(is_stored(&knock_with_token(
        &mut world, &door, &revoked, 9, 100
    )));
    let revoke = RelayRequest::Revoke {
        rid: door.rid,
        capability: CapabilityId([3; 16]),
        purge: false,
    };
    assert_eq!(world.ask(&door.owner, &revoke), RelayAnswer::Ok);
    for token in [expired, forged, others, revoked] {
        assert_eq!(
            knock_with_token(&mut world, &door, &token, 1, 100),
            RelayAnswer::Denied
        );
    }
    assert_eq!(world.names(&door, &door.reader), [9]);
}

#[test]
fn one_solution_lets_one_hello_through_one_door_for_one_hour() {
    let mut world = World::open();
    let (door, other) = (door(&mut world), door(&mut world));
    let solution = solve(&puzzle(&mut world, door.sid));
    assert_eq!(
        knock(
            &mut world,
            other.sid,
            1,
            100,
            Admission::Puzzle(solution.clone())
        ),
        RelayAnswer::Denied
    );
    assert!(is_stored(&knock(
        &mut world,
        door.sid,
        1,
        100,
        Admission::Puzzle(solution.clone())
    )));
    assert_eq!(
        knock(
            &mut world,
            door.sid,
            1,
            100,
            Admission::Puzzle(solution.clone())
        ),
        RelayAnswer::Duplicate
    );
    assert_eq!(
        knock(&mut world, door.sid, 2, 100, Admission::Puzzle(solution)),
        RelayAnswer::Denied
    );
    let late = solve(&puzzle(&mut world, door.sid));
    world.later(HOUR);
    assert_eq!(
        knock(&mut world, door.sid, 3, 100, Admission::Puzzle(late)),
        RelayAnswer::Denied
    );
    // A puzzle of one's own making, and one without the work.
    let mut own = Puzzle {
        seed: [1; 32],
        bits: 0,
        not_after_ms: START_MS + DAY,
    };
    assert_eq!(
        knock(&mut world, door.sid, 4, 100, Admission::Puzzle(solve(&own))),
        RelayAnswer::Denied
    );
    own = puzzle(&mut world, door.sid);
    let lazy = (0..)
        .map(|answer| PuzzleSolution {
            seed: own.seed,
            answer,
        })
        .find(|one| !own.accepts(one))
        .unwrap();
    assert_eq!(
        knock(&mut world, door.sid, 4, 100, Admission::Puzzle(lazy)),
        RelayAnswer::Denied
    );
}

#[test]
fn a_puzzle_does_not_say_whether_the_door_exists() {
    let mut world = World::open();
    let door = door(&mut world);
    let (there, nowhere) = (
        puzzle(&mut world, door.sid),
        puzzle(&mut world, Sid([77; 32])),
    );
    assert_eq!(
        (there.bits, there.not_after_ms),
        (nowhere.bits, nowhere.not_after_ms)
    );
    let solution = solve(&nowhere);
    assert_eq!(
        knock(
            &mut world,
            Sid([77; 32]),
            1,
            100,
            Admission::Puzzle(solution)
        ),
        RelayAnswer::Denied
    );
}

#[test]
fn a_flood_of_hellos_is_refused_and_evicts_nobody() {
    let mut world = World::open();
    let door = door(&mut world);
    for name in 1..=REQUESTS_BY_PUZZLE_MAX {
        assert!(
            is_stored(&knock_with_puzzle(&mut world, &door, name, 100)),
            "hello {name}"
        );
    }
    for name in 1_000..1_010 {
        assert_eq!(
            knock_with_puzzle(&mut world, &door, name, 100),
            RelayAnswer::Full
        );
    }
    // Whoever was asked to come still gets in, up to the door's last place.
    let invited = token(&mut world, &door, 1_000);
    for name in REQUESTS_BY_PUZZLE_MAX + 1..=REQUESTS_MAX {
        assert!(
            is_stored(&knock_with_token(&mut world, &door, &invited, name, 100)),
            "hello {name}"
        );
    }
    assert_eq!(
        knock_with_token(&mut world, &door, &invited, 2_000, 100),
        RelayAnswer::Full
    );
    let expected: Vec<u32> = (1..=REQUESTS_MAX).collect();
    assert_eq!(world.names(&door, &door.reader), expected);
    // Reading makes room, for strangers as well.
    world.ack(&door, &door.reader, 10, &[]);
    assert!(is_stored(&knock_with_puzzle(&mut world, &door, 3_000, 100)));
}

#[test]
fn a_hello_is_at_most_4_kib_and_only_for_a_front_door() {
    let mut world = World::open();
    let (door, thread) = (door(&mut world), world.thread_box());
    let invited = token(&mut world, &door, 9);
    assert!(matches!(
        knock_with_token(&mut world, &door, &invited, 1, 4_097),
        RelayAnswer::Error { .. }
    ));
    assert!(is_stored(&knock_with_token(
        &mut world, &door, &invited, 1, 4_096
    )));
    let threads = token(&mut world, &thread, 9);
    assert_eq!(
        knock_with_token(&mut world, &thread, &threads, 1, 100),
        RelayAnswer::Denied
    );
    assert_eq!(
        knock_with_puzzle(&mut world, &thread, 2, 100),
        RelayAnswer::Denied
    );
    // And a front door grants nothing.
    let writer = comptoir_protocol::signed::public_key(&door.reader);
    let answer = world.grant_as(
        &door,
        CapabilityId([1; 16]),
        writer,
        generous(),
        Lane::Service,
    );
    assert!(matches!(answer, RelayAnswer::Error { .. }));
}

#[test]
fn a_moved_door_is_closed() {
    let mut world = World::open();
    let door = door(&mut world);
    let invited = token(&mut world, &door, 9);
    world.ask(&door.owner, &RelayRequest::Move { rid: door.rid });
    assert_eq!(
        knock_with_token(&mut world, &door, &invited, 1, 100),
        RelayAnswer::Denied
    );
    assert_eq!(
        knock_with_puzzle(&mut world, &door, 2, 100),
        RelayAnswer::Denied
    );
}
