// SPDX-License-Identifier: MIT OR Apache-2.0
//! The node itself for the API: status, figures, log, end.

use comptoir_api::dto::{
    Doctor, List, LogLine, MessageCounts, NodeState, NodeStatus, RelayBrief, RelayCounts,
    RelayState, Setting, UnlockedBy,
};
use comptoir_api::host::{Answer, HostError, Metric, MetricKind, NodeHost};
use comptoir_api::time::Timestamp;
use comptoir_engine::query;

use super::{Host, at_once, unreadable};
use crate::unlock::Unlock;

impl Host {
    fn status_dto(&self) -> Result<NodeStatus, HostError> {
        let inner = &self.node.inner;
        let view = self.view();
        let relays = self.all_relays()?;
        let (state, warnings) = self.condition(&relays)?;
        let newest = query::personas(&view)
            .map_err(unreadable)?
            .into_iter()
            .map(|persona| persona.state_ms)
            .max();
        Ok(NodeStatus {
            state,
            warnings,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            engine: inner.engine.to_string(),
            unlocked_by: match inner.unlock {
                Unlock::Passphrase {
                    from_file: true, ..
                } => UnlockedBy::PassphraseFile,
                Unlock::Passphrase {
                    from_file: false, ..
                } => UnlockedBy::Passphrase,
                Unlock::Keyring => UnlockedBy::Keyring,
                Unlock::KeyFile => UnlockedBy::KeyFile,
            },
            home: inner.home.dir().display().to_string(),
            pid: std::process::id(),
            started: Timestamp::from_ms(inner.started_ms),
            listen: self.node.listen_addresses(),
            peers: inner.peers.lock().map_or(0, |peers| peers.len() as u64),
            relays: relays
                .iter()
                .map(|relay| RelayBrief {
                    id: relay.id.clone(),
                    state: relay.state,
                })
                .collect(),
            counts: self.counts()?,
            state_as_of: newest.filter(|ms| *ms > 0).map(Timestamp::from_ms),
        })
    }

    fn condition(
        &self,
        relays: &[comptoir_api::dto::Relay],
    ) -> Result<(NodeState, Vec<String>), HostError> {
        if *self.stop.borrow() {
            return Ok((NodeState::Stopping, Vec::new()));
        }
        let trouble = self.node.inner.carriers.trouble();
        if let Some(reason) = trouble.read_only {
            return Ok((NodeState::ReadOnly, vec![reason]));
        }
        let frozen = query::is_frozen(&self.view()).map_err(unreadable)?;
        if frozen {
            let warning = "another copy of this device was seen: nothing is sent any more; stop the other copy".to_owned();
            return Ok((NodeState::Halted, vec![warning]));
        }
        let down = relays
            .iter()
            .filter(|relay| matches!(relay.state, RelayState::Down | RelayState::Refused));
        let mut warnings: Vec<String> = down
            .map(|relay| {
                format!(
                    "relay {} does not serve us; `comptoir relay list`",
                    relay.id
                )
            })
            .collect();
        warnings.extend(
            trouble
                .engine
                .map(|reason| format!("an input could not be taken: {reason}")),
        );
        let state = if warnings.is_empty() {
            NodeState::Ready
        } else {
            NodeState::Degraded
        };
        if matches!(self.node.inner.unlock, Unlock::KeyFile) {
            warnings.push(
                "the store has no passphrase: whoever copies the disk can read everything"
                    .to_owned(),
            );
        }
        Ok((state, warnings))
    }

    fn counts(&self) -> Result<MessageCounts, HostError> {
        let counts = query::counts(&self.view()).map_err(unreadable)?;
        Ok(MessageCounts {
            sent: counts.sent,
            received: counts.received,
            sent_direct: counts.sent_direct,
            received_direct: counts.received_direct,
            relays: counts
                .relays
                .into_iter()
                .map(|relay| RelayCounts {
                    relay: relay.relay.to_string(),
                    sent: relay.sent,
                    received: relay.received,
                })
                .collect(),
            sent_twice: counts.sent_twice,
            received_twice: counts.received_twice,
        })
    }

    fn figures(&self) -> Result<Vec<Metric>, HostError> {
        let counts = self.counts()?;
        let inner = &self.node.inner;
        let peers = inner.peers.lock().map_or(0, |peers| peers.len());
        let stats = inner
            .core
            .stats()
            .map_err(|error| HostError::Internal(error.to_string()))?;
        let counter = |name, help, label, value: u64| Metric {
            name,
            kind: MetricKind::Counter,
            help,
            label,
            value: value as f64,
        };
        let gauge = |name, help, value: u64| Metric {
            name,
            kind: MetricKind::Gauge,
            help,
            label: None,
            value: value as f64,
        };
        let by_relay = |of: fn(&RelayCounts) -> u64| counts.relays.iter().map(of).sum::<u64>();
        Ok(vec![
            counter(
                "comptoir_messages_sent_total",
                "Messages sent",
                Some(("way", "any")),
                counts.sent,
            ),
            counter(
                "comptoir_messages_sent_total",
                "Messages sent",
                Some(("way", "direct")),
                counts.sent_direct,
            ),
            counter(
                "comptoir_messages_sent_total",
                "Messages sent",
                Some(("way", "relay")),
                by_relay(|relay| relay.sent),
            ),
            counter(
                "comptoir_messages_received_total",
                "Messages received",
                None,
                counts.received,
            ),
            counter(
                "comptoir_messages_repeated_total",
                "Messages received more than once",
                None,
                counts.received_twice,
            ),
            counter(
                "comptoir_store_commits_total",
                "Commits of the store",
                None,
                stats.commits,
            ),
            gauge(
                "comptoir_store_disk_bytes",
                "Bytes of the store on disk",
                stats.disk_bytes,
            ),
            gauge(
                "comptoir_peers_connected",
                "Peers connected now",
                peers as u64,
            ),
        ])
    }

    fn is_ready(&self) -> Result<(), HostError> {
        if *self.stop.borrow() {
            return Err(HostError::Stopping);
        }
        match self.node.inner.carriers.trouble().read_only {
            Some(reason) => Err(HostError::ReadOnly(reason)),
            None => Ok(()),
        }
    }
}

impl NodeHost for Host {
    fn status(&self) -> Answer<'_, NodeStatus> {
        at_once(self.status_dto())
    }

    fn ready(&self) -> Answer<'_, ()> {
        at_once(self.is_ready())
    }

    fn metrics(&self) -> Answer<'_, Vec<Metric>> {
        at_once(self.figures())
    }

    fn settings(&self) -> Answer<'_, Vec<Setting>> {
        at_once(self.all_settings())
    }

    fn change_settings(
        &self,
        changes: Vec<(String, serde_json::Value)>,
    ) -> Answer<'_, Vec<Setting>> {
        Box::pin(self.set_all(changes))
    }

    fn doctor(&self) -> Answer<'_, Doctor> {
        at_once(self.examine())
    }

    fn log(&self, after: Option<u64>, limit: u32) -> Answer<'_, List<LogLine>> {
        at_once(
            crate::log::page(&self.node.inner.home, after, limit)
                .map_err(|error| HostError::Internal(error.to_string())),
        )
    }

    fn stop(&self) -> Answer<'_, ()> {
        self.stop.send_replace(true);
        at_once(Ok(()))
    }
}
