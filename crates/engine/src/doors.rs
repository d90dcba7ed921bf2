// SPDX-License-Identifier: MIT OR Apache-2.0
//! Doors: how a sealed hello gets to its owner, on a stream, by an invite's token or by a puzzle.

use comptoir_protocol::frame::{Admission, PeerFrame, RelayAnswer, RelayRequest, Sealed};
use comptoir_protocol::id::RelayKey;
use comptoir_protocol::puzzle::Puzzle;

use crate::memory::Call;
use crate::rows::contact::{AskStage, Asking};
use crate::seam::error::EngineError;
use crate::seam::input::Unreachable;
use crate::timers::Timer;
use crate::turn::Turn;

/// Numbers tried for a door's puzzle in one step: some 30 ms, in which nothing else moves.
const PUZZLE_STEP: u64 = 1 << 16;
/// The pause between two such steps: everything else has its turn.
const PUZZLE_PAUSE_MS: u64 = 20;
/// Bits of a puzzle that are worked for: seconds. A door that asks for more does not want strangers.
const PUZZLE_WORK_BITS_MAX: u16 = 22;
/// Times the usual work before another puzzle is asked for; one in 3,000 comes to this.
const PUZZLE_PATIENCE: u64 = 8;

impl Turn<'_> {
    /// Puts the sealed hello at the door, on the way that is open.
    pub(crate) fn say_hello(&mut self, number: u32) -> Result<(), EngineError> {
        let Some(mut asking) = self.asking(number)? else {
            return Ok(());
        };
        let AskStage::Asking { sealed, .. } = &asking.stage else {
            return Ok(());
        };
        let sealed = Sealed(sealed.clone());
        let contact = self.contact(number)?;
        if !self.memory.timers.is_set(Timer::Ask { contact: number }) {
            self.retry_asking(number, &mut asking);
        }
        if let Some(peer) = self.connected_peer(number, &contact) {
            let base = self.memory.numbers.frame_base;
            let frame = self.memory.peers.change(&peer, |link| {
                link.next_out = link.next_out.max(base) + 1;
                link.next_out
            });
            if let Some(number) = frame {
                self.send(peer, &PeerFrame::Hello { number, sealed });
            }
            return Ok(());
        }
        self.start_dial(number, &contact)?;
        self.say_hello_by_relay(number)
    }

    pub(crate) fn say_hello_by_relay(&mut self, number: u32) -> Result<(), EngineError> {
        let Some(asking) = self.asking(number)? else {
            return Ok(());
        };
        let AskStage::Asking { .. } = &asking.stage else {
            return Ok(());
        };
        let contact = self.contact(number)?;
        let Some(card) = contact
            .card
            .as_ref()
            .and_then(|card| card.verify_ignoring_expiry().ok())
        else {
            return Ok(());
        };
        let routes: Vec<_> = card
            .card
            .front_door_routes()
            .map(|(relay, sid)| (relay.clone(), sid))
            .collect();
        for (relay, sid) in routes
            .iter()
            .filter(|(relay, _)| !asking.stored.contains(&relay.key))
        {
            let under_way = self.memory.calls.iter().any(|(_, pending)| {
                pending.relay == relay.key && matches!(pending.call, Call::Hello { contact } | Call::Puzzle { contact } if contact == number)
            });
            let working = self.memory.puzzles.contains(&(number, relay.key));
            if under_way || working || !self.relay_has_room(relay.key) {
                continue;
            }
            match asking.token.clone() {
                Some(token) => {
                    self.put_hello(number, &asking, relay.key, Admission::Token(token))?
                }
                None => self.call(
                    relay,
                    RelayRequest::Puzzle { sid: *sid },
                    None,
                    Call::Puzzle { contact: number },
                ),
            }
        }
        Ok(())
    }

    fn put_hello(
        &mut self,
        number: u32,
        asking: &Asking,
        relay: RelayKey,
        admission: Admission,
    ) -> Result<(), EngineError> {
        let AskStage::Asking { sealed, mid, .. } = &asking.stage else {
            return Ok(());
        };
        let contact = self.contact(number)?;
        let Some(card) = contact
            .card
            .as_ref()
            .and_then(|card| card.verify_ignoring_expiry().ok())
        else {
            return Ok(());
        };
        let Some((relay, sid)) = card
            .card
            .front_door_routes()
            .find(|(door, _)| door.key == relay)
        else {
            return Ok(());
        };
        let request = RelayRequest::PutOpen {
            sid,
            mid: *mid,
            blob: sealed.clone(),
            admission,
        };
        self.call(
            &relay.clone(),
            request,
            None,
            Call::Hello { contact: number },
        );
        Ok(())
    }

    pub(crate) fn on_puzzle_answer(
        &mut self,
        relay: RelayKey,
        number: u32,
        answer: &Result<RelayAnswer, Unreachable>,
    ) -> Result<(), EngineError> {
        let Ok(RelayAnswer::PuzzleSet(puzzle)) = answer else {
            return self.on_hello_answer(relay, number, answer);
        };
        let Some(asking) = self.asking(number)? else {
            return Ok(());
        };
        if puzzle.bits > PUZZLE_WORK_BITS_MAX {
            let why = "the front door asks for more work than a hello is worth";
            return self.on_closed_door(number, &asking, why);
        }
        let place = (number, relay);
        self.memory.puzzles.insert(place, (puzzle.clone(), 0));
        self.on_puzzle_due(number)
    }

    /// Works a while on the puzzle of a door.
    pub(crate) fn on_puzzle_due(&mut self, number: u32) -> Result<(), EngineError> {
        let (Some(asking), Some((relay, puzzle, from))) =
            (self.asking(number)?, self.first_puzzle(number))
        else {
            return Ok(());
        };
        // Past this the puzzle is given up, and the next try asks for another.
        let end = PUZZLE_PATIENCE << puzzle.bits;
        let steps = PUZZLE_STEP.min(end.saturating_sub(from));
        match puzzle.solve_step(from, steps) {
            Some(solution) => {
                self.memory.puzzles.remove(&(number, relay));
                self.put_hello(number, &asking, relay, Admission::Puzzle(solution))?;
            }
            None if from + steps < end => {
                let place = (number, relay);
                self.memory.puzzles.insert(place, (puzzle, from + steps));
            }
            None => {
                self.memory.puzzles.remove(&(number, relay));
            }
        }
        if self.first_puzzle(number).is_some() {
            let due = self.now.mono_ms + PUZZLE_PAUSE_MS;
            let timer = Timer::Puzzle { contact: number };
            self.memory.timers.set(timer, due);
        }
        Ok(())
    }

    pub(crate) fn first_puzzle(&self, number: u32) -> Option<(RelayKey, Puzzle, u64)> {
        let range = (number, RelayKey([0; 32]))..=(number, RelayKey([255; 32]));
        let first = self.memory.puzzles.range(range).next();
        first.map(|((_, relay), (puzzle, from))| (*relay, puzzle.clone(), *from))
    }

    pub(crate) fn on_hello_answer(
        &mut self,
        relay: RelayKey,
        number: u32,
        answer: &Result<RelayAnswer, Unreachable>,
    ) -> Result<(), EngineError> {
        let Some(mut asking) = self.asking(number)? else {
            return Ok(());
        };
        match answer {
            Ok(RelayAnswer::Stored { .. } | RelayAnswer::Duplicate) => {
                if !asking.stored.contains(&relay) {
                    asking.stored.push(relay);
                    self.put_asking(number, &asking);
                }
                Ok(())
            }
            Ok(RelayAnswer::Denied) => self.on_closed_door(number, &asking, "the front door refused the hello: the invite is used up, expired or revoked; ask for a new one"),
            _ => Ok(()),
        }
    }

    /// One door lets the hello in under no circumstances. That ends it only when there is no other way.
    fn on_closed_door(
        &mut self,
        number: u32,
        asking: &Asking,
        why: &str,
    ) -> Result<(), EngineError> {
        let contact = self.contact(number)?;
        let other_ways =
            !asking.stored.is_empty() || !contact.endpoints.is_empty() || asking.tries < 2;
        if other_ways {
            return Ok(());
        }
        self.fail_asking(number, why)
    }
}
