// SPDX-License-Identifier: MIT OR Apache-2.0
//! The newer store: rows of a version to come, at which an engine must stop.

use comptoir_engine::rows::key;
use comptoir_engine::{Command, CommandId, Engine, Input, Scan, View, ViewError};

use crate::world::World;

/// I12: every kind of row, made unreadable, stops the engine with an error; it is never guessed at.
pub(crate) fn refuses_what_it_cannot_read(world: &mut World) -> Result<(), String> {
    let node = &mut world.nodes[0];
    let Some(running) = &node.running else {
        return Ok(());
    };
    let view = running.core.committed();
    for space in [
        key::CONTACT,
        key::THREAD,
        key::RELAY,
        key::BOX,
        key::PERSONA,
    ] {
        if view
            .scan(Scan::all(vec![space]).limited(1))
            .is_ok_and(|rows| rows.is_empty())
        {
            continue;
        }
        let newer = Newer { view: &view, space };
        let opened = Engine::open(node.config.clone(), &newer);
        let stopped = match opened {
            Err(_) => true,
            Ok(mut engine) => inputs_that_read_all().into_iter().any(|input| {
                engine
                    .handle(input, node_time(world.now_ms), &mut node.rng, &newer)
                    .is_err()
            }),
        };
        if !stopped {
            return Err(format!(
                "I12: rows of a newer version in space {space:#04x} were passed over"
            ));
        }
    }
    Ok(())
}

/// Opening reads most rows; a persona's own is read by whoever acts for it.
fn inputs_that_read_all() -> [Input; 2] {
    let command = Command::Invite {
        expires_s: 3_600,
        uses: 1,
        as_ref: false,
    };
    let (id, persona) = (CommandId(1), comptoir_engine::MAIN);
    [
        Input::Opened { endpoint: None },
        Input::Command {
            id,
            persona,
            command,
            idempotency: None,
        },
    ]
}

fn node_time(now_ms: u64) -> comptoir_protocol::time::Time {
    comptoir_protocol::time::Time {
        wall_ms: now_ms,
        mono_ms: now_ms,
        boot: [0; 16],
    }
}

/// A store in which the rows of one space were written by a version to come.
struct Newer<'v, V> {
    view: &'v V,
    space: u8,
}

impl<V: View> Newer<'_, V> {
    fn newer(&self, key: &[u8], mut value: Vec<u8>) -> Vec<u8> {
        if key.first() == Some(&self.space)
            && let Some(version) = value.first_mut()
        {
            *version = 250;
        }
        value
    }
}

impl<V: View> View for Newer<'_, V> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ViewError> {
        Ok(self.view.get(key)?.map(|value| self.newer(key, value)))
    }

    fn scan(&self, range: Scan) -> Result<Vec<(Vec<u8>, Vec<u8>)>, ViewError> {
        let rows = self.view.scan(range)?;
        Ok(rows
            .into_iter()
            .map(|(key, value)| (key.clone(), self.newer(&key, value)))
            .collect())
    }
}
