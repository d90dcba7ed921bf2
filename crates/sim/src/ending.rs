// SPDX-License-Identifier: MIT OR Apache-2.0
//! The ending: nothing goes wrong any more, and what was promised must be there.

use std::collections::{BTreeMap, BTreeSet};

use comptoir_engine::query::{self, ContentView};
use comptoir_engine::{MAIN, Scan, View as _};
use comptoir_protocol::id::Lane;

use crate::faults::Faults;
use crate::promotions::KEPT_MS;
use crate::transcript::{Said, has_of, transcript};
use crate::wishes::Act;
use crate::world::World;

const HOUR_MS: u64 = 60 * 60_000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// After the last fault everything must be delivered within this: two of the longest pauses between tries, and some.
const HEALING_MS: u64 = 5 * HOUR_MS;

/// Below are the engine's spaces, from here on the store's own.
const ENGINE_SPACES: u8 = 0xe0;

/// Nothing goes wrong any more: everything promised must arrive.
pub(crate) fn heal(world: &mut World) -> Result<(), String> {
    world.faults = Faults::none();
    for relay in 0..world.relays.len() {
        world.relays[relay].evil = false;
    }
    for node in 0..2 {
        if world.nodes[node].asleep {
            world.on_act(node, Act::Awake);
        }
        world.nodes[node].disk.set_full(false);
        world.nodes[node].skew_ms = 0;
    }
    let promised = |world: &World| -> bool {
        let all_up = world
            .nodes
            .iter()
            .all(|node| node.running.is_some() && node.user.is_content());
        all_up && (0..2).all(|node| has_all(world, node))
    };
    world.until(HEALING_MS, "everything promised to arrive", promised)
}

/// Whether a node has every message that the other was promised, and the other knows.
fn has_all(world: &World, node: usize) -> bool {
    has_all_numbers(world, node) && shows_all(world, node)
}

/// Every number came; a promotion may have ended with its leave instead. Cheap, and false for most of the time.
fn has_all_numbers(world: &World, node: usize) -> bool {
    let (Some(author), Some(running)) = (world.device_of(1 - node), &world.nodes[node].running)
    else {
        return false;
    };
    let other = &world.nodes[1 - node].user;
    let has = |lane| has_of(running, author, lane);
    let (Ok(service), Ok(promotion)) = (has(Lane::Service), has(Lane::Promotion)) else {
        return false;
    };
    let settled = |sequence: &u64| {
        promotion.contains(*sequence) || world.checks.promotions.is_settled(1 - node, *sequence)
    };
    other
        .sent
        .keys()
        .all(|sequence| service.contains(*sequence))
        && other.promoted.keys().all(settled)
}

fn shows_all(world: &World, node: usize) -> bool {
    let (Some(thread), Some(running)) = (world.thread_of(node), &world.nodes[node].running) else {
        return false;
    };
    let Ok(said) = transcript(running, thread) else {
        return false;
    };
    shown(&said, false) == world.nodes[1 - node].user.shows()
}

/// What a transcript shows of one side, promotions left out.
fn shown(said: &[Said], own: bool) -> Vec<(u64, Option<&str>)> {
    let of_side = said
        .iter()
        .filter(|said| said.own == own && said.at.lane == Lane::Service);
    of_side
        .map(|said| (said.at.sequence, said.text.as_deref()))
        .collect()
}

/// Both have the same transcript: each promised message once, as it was last amended, in its author's order.
pub(crate) fn agree(world: &World) -> Result<(), String> {
    let read = |node: usize| {
        let running = world.nodes[node].running.as_ref().ok_or("a node is down")?;
        transcript(running, world.thread_of(node).ok_or("a thread is gone")?)
    };
    let (ours, theirs) = (read(0)?, read(1)?);
    same_places(&ours, &theirs)?;
    for (node, said) in [(0, &ours), (1, &theirs)] {
        let (own, promised) = (shown(said, true), world.nodes[node].user.shows());
        if own != promised {
            return Err(format!(
                "I1: node {node} was promised {} messages and has {}",
                promised.len(),
                own.len()
            ));
        }
        let running = world.nodes[node].running.as_ref().ok_or("a node is down")?;
        let wall_ms = world.nodes[node].time(world.now_ms).wall_ms;
        let thread = world.thread_of(node).ok_or("a thread is gone")?;
        let promotions = &world.checks.promotions;
        promotions.check(node, wall_ms, thread, running)?;
        promotions_say_what_was_sent(world, node, said)?;
    }
    Ok(())
}

/// I10. Of a promotion that only its author shows, there is no place to compare.
fn same_places(ours: &[Said], theirs: &[Said]) -> Result<(), String> {
    let places = |said: &[Said], flip: bool| -> Vec<(bool, Lane, u64, Option<String>)> {
        let place = |said: &Said| {
            let (own, at) = (said.own != flip, said.at);
            (own, at.lane, at.sequence, said.text.clone())
        };
        said.iter().map(place).collect()
    };
    let (ours, theirs) = (places(ours, false), places(theirs, true));
    let both = |all: &[_], other: &[(bool, Lane, u64, Option<String>)]| -> Vec<_> {
        let known: BTreeSet<_> = other.iter().map(|said| (said.0, said.1, said.2)).collect();
        let shown = |said: &&(bool, Lane, u64, Option<String>)| {
            said.1 == Lane::Service || known.contains(&(said.0, said.1, said.2))
        };
        all.iter().filter(shown).cloned().collect()
    };
    if both(&ours, &theirs) == both(&theirs, &ours) {
        Ok(())
    } else {
        Err(format!(
            "I10: the two transcripts differ: {} and {} messages",
            ours.len(),
            theirs.len()
        ))
    }
}

/// Each promotion that came is shown or held back, and says what its author was promised to have said.
fn promotions_say_what_was_sent(world: &World, node: usize, said: &[Said]) -> Result<(), String> {
    let (Some(author), Some(running)) = (world.device_of(1 - node), &world.nodes[node].running)
    else {
        return Ok(());
    };
    let held = query::held_back(&running.core.committed(), MAIN, None, usize::MAX)
        .map_err(|error| error.to_string())?;
    let held = held.into_iter().map(|view| {
        let text = match view.message.content {
            ContentView::Text(text) => Some(text),
            _ => None,
        };
        (view.message.place.sequence, text)
    });
    let shown = said
        .iter()
        .filter(|said| !said.own && said.at.lane == Lane::Promotion)
        .map(|said| (said.at.sequence, said.text.clone()));
    let there: BTreeMap<u64, Option<String>> = shown.chain(held).collect();
    let came = has_of(running, author, Lane::Promotion)?;
    let promoted = &world.nodes[1 - node].user.promoted;
    for (sequence, text) in promoted
        .iter()
        .filter(|(sequence, _)| came.contains(**sequence))
    {
        let found = there.get(sequence).cloned().flatten();
        if found.as_ref() != Some(text) {
            return Err(format!(
                "node {node} took promotion {sequence}, which says {text:?}, and has {found:?}"
            ));
        }
    }
    Ok(())
}

/// What is held back is there for thirty days, and then no more. In one of 64 worlds: a month of waiting costs as
/// much as forty meetings.
pub(crate) fn keeps_what_is_held_back(world: &mut World) -> Result<(), String> {
    let held = |world: &World, node: usize| -> usize {
        let running = world.nodes[node].running.as_ref();
        let held = running.and_then(|running| {
            query::held_back(&running.core.committed(), MAIN, None, usize::MAX).ok()
        });
        held.map_or(0, |held| held.len())
    };
    let count: usize = (0..2).map(|node| held(world, node)).sum();
    if count == 0 || world.below(64) > 0 {
        return Ok(());
    }
    world.pass(KEPT_MS - DAY_MS);
    agree(world)?;
    // The engine looks every six hours.
    world.pass(DAY_MS + 7 * HOUR_MS);
    match (0..2).map(|node| held(world, node)).sum() {
        0 => world.tally.add("held_back_ended", count as u64),
        left => {
            return Err(format!(
                "{left} messages are held back for more than thirty days"
            ));
        }
    }
    world
        .violation()
        .map_or(Ok(()), |violation| Err(violation.to_owned()))
}

/// What its author erased stands in no row of either node any more.
pub(crate) fn forgets_what_was_erased(world: &World) -> Result<(), String> {
    let erased: Vec<&str> = world
        .nodes
        .iter()
        .flat_map(|node| node.user.erased_texts())
        .collect();
    for (number, node) in world.nodes.iter().enumerate() {
        let Some(running) = node.running.as_ref().filter(|_| !erased.is_empty()) else {
            continue;
        };
        let view = running.core.committed();
        let rows = (0..ENGINE_SPACES).map(|space| view.scan(Scan::all(vec![space])));
        let rows: Result<Vec<_>, _> = rows.collect();
        for (key, row) in rows.map_err(|error| error.to_string())?.concat() {
            let holds = |text: &&&str| row.windows(text.len()).any(|part| part == text.as_bytes());
            if let Some(text) = erased.iter().find(holds) {
                return Err(format!(
                    "an erased text stays at node {number}: {text} in a row of space {:#04x}",
                    key.first().copied().unwrap_or(0)
                ));
            }
        }
    }
    Ok(())
}
