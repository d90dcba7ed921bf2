// SPDX-License-Identifier: MIT OR Apache-2.0
//! The driver: one thread that takes an input, asks the engine, hands the writes to the store, and lets effects
//! out only when they are durable.

mod coalesce;
mod effects;
mod held;
mod queue;
mod waiting;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use comptoir_engine::{
    Answer, CommandId, Config, Engine, EngineError, Input, Refusal, RelayNews, Step, Unreachable,
    Write,
};
use comptoir_protocol::identity::Endpoint;
use comptoir_store::{Core, Seq, Store, StoreError, Writer};
use rand_chacha::ChaCha20Rng;
use tokio::sync::{mpsc, oneshot};

use self::coalesce::{Unit, coalesce};
pub(crate) use self::effects::{Carriers, Effects};
use self::held::Held;
pub use self::queue::CommandError;
pub(crate) use self::queue::{DriverHandle, Job, no_room};
use self::waiting::wait;
use crate::time::{Clock, monotonic_ms};

/// Jobs taken at once: enough that waiting sends of one thread share envelopes of 64, few enough that a tick or a
/// stop is never more than some 10 ms away.
const BATCH_JOBS_MAX: usize = 512;

/// Reopening the engine after a failed commit is tried at this pace, so that a full disk is not hammered.
const REOPEN_PAUSE: Duration = Duration::from_millis(500);

/// After a tick that was refused the engine is not woken sooner than this.
const REFUSED_PAUSE_MS: u64 = 1_000;

type Waiting = oneshot::Sender<Result<Answer, CommandError>>;

/// The driver of one node. Owned by its thread.
pub(crate) struct Driver {
    engine: Engine,
    config: Config,
    store: Store,
    core: Arc<Core>,
    /// None only while the store is being opened again.
    writer: Option<Writer>,
    held: Arc<Held>,
    carriers: Arc<Carriers>,
    clock: Clock,
    rng: ChaCha20Rng,
    jobs: mpsc::Receiver<Job>,
    waiting: BTreeMap<CommandId, Vec<Waiting>>,
    endpoint: Option<Endpoint>,
    next_command: u64,
    wake_at_ms: Option<u64>,
    /// Who waits for the store to be closed.
    stopping: Option<oneshot::Sender<()>>,
    /// Which life of the engine this is: a failure of an earlier one has been dealt with.
    generation: u64,
}

impl Driver {
    /// Opens the engine over the store. Nothing is decided yet; [`Driver::run`] starts with `Opened`.
    pub(crate) fn open(
        config: Config,
        store: Store,
        carriers: Arc<Carriers>,
        clock: Clock,
        rng: ChaCha20Rng,
        jobs: mpsc::Receiver<Job>,
    ) -> Result<Self, OpenError> {
        let core = store.core();
        let engine = Engine::open(config.clone(), &core.view())?;
        let (held, writer) = start_writer(&core, &carriers, 0)?;
        let (waiting, endpoint) = (BTreeMap::new(), None);
        Ok(Self {
            engine,
            config,
            store,
            core,
            writer: Some(writer),
            held,
            carriers,
            clock,
            rng,
            jobs,
            waiting,
            endpoint,
            next_command: 1,
            wake_at_ms: None,
            stopping: None,
            generation: 0,
        })
    }

    /// Runs until told to stop or until every handle is gone, then closes the store. Needs no runtime around it: one that
    /// ends takes the driver down in order, not in a panic.
    pub(crate) fn run(mut self, endpoint: Option<Endpoint>) {
        self.endpoint.clone_from(&endpoint);
        self.step(Input::Opened { endpoint });
        while let Some(batch) = self.next_batch() {
            for unit in coalesce(batch) {
                match unit {
                    Unit::Stop(done) => {
                        self.stopping = Some(done);
                        return self.close();
                    }
                    Unit::CommitFailed { generation, reason } => {
                        self.on_commit_failed(generation, &reason)
                    }
                    Unit::Input(input) => self.step(input),
                    Unit::Command {
                        persona,
                        command,
                        idempotency,
                        waiting,
                    } => {
                        self.command(persona, command, idempotency, waiting);
                    }
                }
            }
        }
        self.close();
    }

    /// Waits for a job or for the engine's next deadline, then takes whatever else already waits, up to a failed commit:
    /// what stands behind one is answered while the store is down, so it must be left where that looks for it.
    fn next_batch(&mut self) -> Option<Vec<Job>> {
        let first = match self.jobs.try_recv() {
            Ok(job) => job,
            Err(mpsc::error::TryRecvError::Disconnected) => return None,
            Err(mpsc::error::TryRecvError::Empty) => self.wait()?,
        };
        let mut batch = vec![first];
        while batch.len() < BATCH_JOBS_MAX
            && !matches!(batch.last(), Some(Job::CommitFailed { .. }))
        {
            match self.jobs.try_recv() {
                Ok(job) => batch.push(job),
                Err(_) => break,
            }
        }
        Some(batch)
    }

    fn wait(&mut self) -> Option<Job> {
        let pause = self
            .wake_at_ms
            .map(|at| Duration::from_millis(at.saturating_sub(monotonic_ms())));
        wait(&mut self.jobs, pause).unwrap_or(Some(Job::Input(Input::Tick)))
    }

    fn command(
        &mut self,
        persona: u16,
        command: comptoir_engine::Command,
        idempotency: Option<comptoir_engine::Idempotency>,
        waiting: Vec<Waiting>,
    ) {
        let id = CommandId(self.next_command);
        self.next_command += 1;
        self.waiting.insert(id, waiting);
        self.step(Input::Command {
            id,
            persona,
            command,
            idempotency,
        });
        // An engine error answers nothing: whoever asked must hear so, and may ask again.
        for waiting in self.waiting.remove(&id).unwrap_or_default() {
            let _ = waiting.send(Err(CommandError::Failed(
                "the engine could not take the command; the log says why".into(),
            )));
        }
    }

    fn step(&mut self, input: Input) {
        if let Input::Opened {
            endpoint: Some(endpoint),
        } = &input
        {
            self.endpoint = Some(endpoint.clone());
        }
        let unanswered = unanswered(&input);
        if self.handle(input).is_err()
            && let Some(unanswered) = unanswered
        {
            // The call is under way still, for the engine: what waits for it would wait for ever.
            let _ = self.handle(unanswered);
        }
    }

    /// Decides and submits. A step that cannot be decided or could not be stored is refused before anything of it is
    /// handed on, so nothing has to be opened again for it.
    fn handle(&mut self, input: Input) -> Result<(), EngineError> {
        let (now, tick) = (self.clock.now(), matches!(input, Input::Tick));
        match self
            .engine
            .handle(input, now, &mut self.rng, &self.core.view())
        {
            Ok(step) => {
                self.submit(step);
                Ok(())
            }
            Err(error) => {
                tracing::error!(%error, "the engine refused an input; nothing changed");
                self.carriers.on_engine_error(&error);
                // A deadline whose work fails comes again, and not at once.
                if tick {
                    self.wake_at_ms = Some(monotonic_ms() + REFUSED_PAUSE_MS);
                }
                Err(error)
            }
        }
    }

    fn submit(&mut self, step: Step) {
        let Step {
            writes,
            sends,
            dials,
            calls,
            events,
            answers,
            wake_at,
        } = step;
        self.wake_at_ms = wake_at;
        let answers = answers
            .into_iter()
            .flat_map(|(id, answer)| self.claim(id, answer))
            .collect();
        let effects = Effects {
            sends,
            dials,
            calls,
            newest_event: events.last().map(|(number, _)| *number),
            answers,
        };
        self.hand_over(writes, effects);
    }

    /// Pairs an answer with everybody who waits for it. Sends that shared an envelope each get their own message.
    fn claim(&mut self, id: CommandId, answer: Result<Answer, Refusal>) -> Vec<effects::Claimed> {
        let waiting = self.waiting.remove(&id).unwrap_or_default();
        coalesce::divide(answer, waiting)
    }

    fn hand_over(&mut self, writes: Vec<Write>, effects: Effects) {
        let submitted = match &self.writer {
            Some(writer) => writer.submit(writes),
            None => Err(StoreError::Stopped(
                "the store is being opened again".into(),
            )),
        };
        match submitted {
            Ok(seq) => self.held.hold(seq, effects, &self.carriers),
            Err(error) => {
                self.carriers.refuse(effects, &CommandError::from(&error));
                self.carriers.on_commit_failed(self.generation, &error);
            }
        }
    }

    /// A commit failed: the engine knows things that never became durable, so it is dropped together with every step
    /// behind it, and a new one is opened from what the disk holds.
    fn on_commit_failed(&mut self, generation: u64, reason: &str) {
        if generation != self.generation {
            return;
        }
        tracing::error!(
            reason,
            "a commit failed; the engine is opened again from the store"
        );
        self.generation += 1;
        loop {
            match self.reopen() {
                Ok(()) => break,
                Err(error) => {
                    self.carriers.on_read_only(&error.to_string());
                    if self.drain_while_down() {
                        return;
                    }
                    std::thread::sleep(REOPEN_PAUSE);
                }
            }
        }
        self.carriers.on_recovered();
        // First: what the new engine asks of a link that is about to be broken would be answered by nobody.
        self.carriers.break_connections();
        let endpoint = self.endpoint.clone();
        self.step(Input::Opened { endpoint });
    }

    fn reopen(&mut self) -> Result<(), OpenError> {
        // Joins the writer's thread: nothing commits while the files are opened again.
        self.writer = None;
        self.store.reopen()?;
        self.engine = Engine::open(self.config.clone(), &self.core.view())?;
        // A commit that failed late may have reached the disk, and nobody was told of its events.
        if let Ok(newest) = comptoir_engine::query::newest_event(&self.core.committed()) {
            self.carriers.on_newest_event(newest);
        }
        let (held, writer) = start_writer(&self.core, &self.carriers, self.generation)?;
        (self.held, self.writer) = (held, Some(writer));
        Ok(())
    }

    /// While the store takes nothing, commands are answered so and all else is dropped: peers and relays send again.
    /// True when the node was told to stop meanwhile.
    fn drain_while_down(&mut self) -> bool {
        while let Ok(job) = self.jobs.try_recv() {
            match job {
                Job::Command { waiting, .. } => {
                    let _ = waiting.send(Err(CommandError::ReadOnly));
                }
                Job::Stop(done) => {
                    self.stopping = Some(done);
                    self.jobs.close();
                    return true;
                }
                Job::Input(_) | Job::CommitFailed { .. } => {}
            }
        }
        false
    }

    fn close(mut self) {
        if let Some(writer) = self.writer.take()
            && let Err(error) = writer.flush()
        {
            tracing::error!(%error, "the last steps did not reach the disk; they were not acknowledged");
        }
        self.store.close();
        if let Some(stopping) = self.stopping.take() {
            let _ = stopping.send(());
        }
    }
}

/// For a relay's answer, what is said in its place when the engine cannot take it: that there was none.
fn unanswered(input: &Input) -> Option<Input> {
    match input {
        Input::Relay {
            relay,
            news:
                RelayNews::Answer {
                    call,
                    answer: Ok(_),
                },
        } => Some(Input::Relay {
            relay: *relay,
            news: RelayNews::Answer {
                call: *call,
                answer: Err(Unreachable),
            },
        }),
        _ => None,
    }
}

/// Why the driver could not begin.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The rows cannot be used.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The files cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn start_writer(
    core: &Arc<Core>,
    carriers: &Arc<Carriers>,
    generation: u64,
) -> Result<(Arc<Held>, Writer), StoreError> {
    let held = Arc::new(Held::new(core.durable()));
    let (its_held, its_carriers) = (Arc::clone(&held), Arc::clone(carriers));
    let on_durable = move |outcome: Result<Seq, StoreError>| match outcome {
        Ok(seq) => its_held.on_durable(seq, &its_carriers),
        Err(error) => {
            its_held.on_failed(CommandError::from(&error), &its_carriers);
            its_carriers.on_commit_failed(generation, &error);
        }
    };
    Ok((held, Writer::start(Arc::clone(core), on_durable)?))
}

#[cfg(test)]
mod tests;
