// SPDX-License-Identifier: MIT OR Apache-2.0
//! Coalescing: sends of one thread that wait together become one envelope, one encryption, one row, one commit.

use comptoir_engine::{Answer, Command, Idempotency, Input, NewMessage, Refusal};
use comptoir_protocol::body::Content;
use comptoir_protocol::limits::{ENVELOPE_MESSAGES_MAX, TEXT_BYTES_MAX};
use tokio::sync::oneshot;

use super::effects::Claimed;
use super::queue::{CommandError, Job};

/// Bytes of content that share one envelope: with headers it stays under the 60 KiB class of a deposit.
const SHARED_BYTES_MAX: usize = 40 * 1024;

type Waiting = oneshot::Sender<Result<Answer, CommandError>>;

/// What the driver does in one go.
pub(super) enum Unit {
    /// An input of the network, a relay or the clock.
    Input(Input),
    /// A command, and everybody whose request became part of it.
    Command {
        persona: u16,
        command: Command,
        idempotency: Option<Idempotency>,
        waiting: Vec<Waiting>,
    },
    /// A commit failed.
    CommitFailed { generation: u64, reason: String },
    /// Finish.
    Stop(oneshot::Sender<()>),
}

/// Joins neighbouring sends of one thread and lane. Order is kept: only neighbours join. A send with an idempotency
/// key stays alone, since its key must find exactly its own answer.
pub(super) fn coalesce(jobs: Vec<Job>) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::with_capacity(jobs.len());
    for job in jobs {
        match job {
            Job::Input(input) => units.push(Unit::Input(input)),
            Job::CommitFailed { generation, reason } => {
                units.push(Unit::CommitFailed { generation, reason })
            }
            Job::Stop(done) => units.push(Unit::Stop(done)),
            Job::Command {
                persona,
                command,
                idempotency,
                waiting,
            } => {
                let unit = Unit::Command {
                    persona,
                    command,
                    idempotency,
                    waiting: vec![waiting],
                };
                match units.last_mut() {
                    Some(last) => {
                        if let Some(unit) = join(last, unit) {
                            units.push(unit);
                        }
                    }
                    None => units.push(unit),
                }
            }
        }
    }
    units
}

/// Puts `unit` into `last` and returns nothing, or returns `unit` where the two cannot share an envelope.
fn join(last: &mut Unit, unit: Unit) -> Option<Unit> {
    let (
        Unit::Command {
            persona,
            command:
                Command::Send {
                    thread,
                    lane,
                    messages,
                },
            idempotency: None,
            waiting,
        },
        Unit::Command {
            persona: persona_too,
            command:
                Command::Send {
                    thread: thread_too,
                    lane: lane_too,
                    messages: more,
                },
            idempotency: None,
            waiting: waiting_too,
        },
    ) = (last, &unit)
    else {
        return Some(unit);
    };
    let same = (*persona, *thread, *lane) == (*persona_too, *thread_too, *lane_too);
    let fits = messages.len() + more.len() <= ENVELOPE_MESSAGES_MAX
        && bytes(messages) + bytes(more) <= SHARED_BYTES_MAX;
    if !same || !fits || waiting_too.len() != 1 || more.len() != 1 {
        return Some(unit);
    }
    if let Unit::Command {
        command: Command::Send { messages: more, .. },
        waiting: waiting_too,
        ..
    } = unit
    {
        messages.extend(more);
        waiting.extend(waiting_too);
    }
    None
}

/// About what the messages take inside an envelope. What is not text stays alone, and so does a text that the engine will
/// refuse for its length: the others of its envelope would be refused with it.
fn bytes(messages: &[NewMessage]) -> usize {
    let of_one = |message: &NewMessage| match &message.body.content {
        Content::Text(text) if text.text.len() <= TEXT_BYTES_MAX => text.text.len() + 64,
        _ => SHARED_BYTES_MAX,
    };
    messages.iter().map(of_one).sum()
}

/// Gives everybody who waits their part of one answer: message `i` of a shared envelope to the `i`-th.
pub(super) fn divide(answer: Result<Answer, Refusal>, waiting: Vec<Waiting>) -> Vec<Claimed> {
    let shared = waiting.len() > 1;
    let part = |at: usize| match &answer {
        Ok(Answer::Sent {
            thread,
            author,
            lane,
            from,
            to: _,
        }) if shared => {
            let sequence = from + at as u64;
            Ok(Answer::Sent {
                thread: *thread,
                author: *author,
                lane: *lane,
                from: sequence,
                to: sequence,
            })
        }
        Ok(answer) => Ok(answer.clone()),
        Err(refusal) => Err(CommandError::Refused(refusal.clone())),
    };
    waiting
        .into_iter()
        .enumerate()
        .map(|(at, waiting)| Claimed {
            answer: part(at),
            waiting,
        })
        .collect()
}
