// SPDX-License-Identifier: MIT OR Apache-2.0
//! Consumers: who reads the event log, and how far each has acknowledged it.

use std::sync::PoisonError;

use comptoir_kv::Batch;

use crate::StoreError;
use crate::codec;
use crate::core::{CONSUMER, Core, unseal};
use crate::records::ConsumerV2;

/// At most 256 consumers a store: scripts and webhooks of one person. Full: a new name is refused.
pub const CONSUMERS_MAX: usize = 256;

/// A name holds at most 64 bytes.
pub const CONSUMER_NAME_BYTES_MAX: usize = 64;

/// A consumer of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumer {
    /// What it calls itself.
    pub name: String,
    /// The last event it has acknowledged; it is shown the ones after this.
    pub acknowledged: u64,
    /// Wall time of that, in milliseconds; 0 when it was acknowledged by a version that did not note it.
    pub acknowledged_ms: u64,
}

impl Core {
    /// All consumers, by name.
    pub fn consumers(&self) -> Result<Vec<Consumer>, StoreError> {
        let mut consumers: Vec<_> = self
            .numbered_consumers()?
            .into_iter()
            .map(|(_, consumer)| consumer)
            .collect();
        consumers.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(consumers)
    }

    /// One consumer, if it has ever acknowledged anything.
    pub fn consumer(&self, name: &str) -> Result<Option<Consumer>, StoreError> {
        Ok(self
            .numbered_consumers()?
            .into_iter()
            .map(|(_, consumer)| consumer)
            .find(|consumer| consumer.name == name))
    }

    /// Notes that `name` has dealt with all events up to `event`; durable on return. Never goes back: an older number
    /// changes nothing. Blocks for a commit.
    pub fn acknowledge(&self, name: &str, event: u64, now_ms: u64) -> Result<Consumer, StoreError> {
        if name.is_empty() || name.len() > CONSUMER_NAME_BYTES_MAX {
            return Err(StoreError::Refused(format!(
                "a consumer's name has 1 to {CONSUMER_NAME_BYTES_MAX} bytes"
            )));
        }
        let _alone = self
            .consumers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let known = self.numbered_consumers()?;
        let (number, acknowledged) = match known.iter().find(|(_, consumer)| consumer.name == name)
        {
            Some((_, consumer)) if consumer.acknowledged >= event => return Ok(consumer.clone()),
            Some((number, _)) => (*number, event),
            None if known.len() >= CONSUMERS_MAX => {
                return Err(StoreError::Refused(format!(
                    "there are {CONSUMERS_MAX} consumers already"
                )));
            }
            None => (free_number(&known), event),
        };
        let record = ConsumerV2 {
            name: name.to_owned(),
            acknowledged,
            acknowledged_ms: now_ms,
        };
        let value = codec::encode(&record)
            .ok_or_else(|| StoreError::Refused("a consumer's name is too long".into()))?;
        let key = consumer_key(number);
        let sealed = self.sealer.seal(CONSUMER, &key, &value);
        self.kv().commit(&Batch::from([(key, Some(sealed))]))?;
        Ok(record.into())
    }

    /// Forgets a consumer; durable on return. Says whether there was one.
    pub fn forget_consumer(&self, name: &str) -> Result<bool, StoreError> {
        let _alone = self
            .consumers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let known = self.numbered_consumers()?;
        let Some((number, _)) = known.iter().find(|(_, consumer)| consumer.name == name) else {
            return Ok(false);
        };
        self.kv()
            .commit(&Batch::from([(consumer_key(*number), None)]))?;
        Ok(true)
    }

    fn numbered_consumers(&self) -> Result<Vec<(u16, Consumer)>, StoreError> {
        let rows = self.kv().scan(&[CONSUMER], None, false, CONSUMERS_MAX)?;
        let read = |(key, sealed): (Vec<u8>, Vec<u8>)| {
            let number = <[u8; 2]>::try_from(&key[1..])
                .map_err(|_| StoreError::Corrupt("the key of a consumer is damaged".into()))?;
            let record: ConsumerV2 = codec::decode(&unseal(&self.sealer, &key, &sealed)?)?;
            Ok((u16::from_be_bytes(number), record.into()))
        };
        rows.into_iter().map(read).collect()
    }
}

impl From<ConsumerV2> for Consumer {
    fn from(record: ConsumerV2) -> Self {
        let ConsumerV2 {
            name,
            acknowledged,
            acknowledged_ms,
        } = record;
        Self {
            name,
            acknowledged,
            acknowledged_ms,
        }
    }
}

/// The smallest number nobody has.
fn free_number(known: &[(u16, Consumer)]) -> u16 {
    let mut free = 0;
    for (number, _) in known {
        if *number == free {
            free += 1;
        }
    }
    free
}

fn consumer_key(number: u16) -> Vec<u8> {
    let [high, low] = number.to_be_bytes();
    vec![CONSUMER, high, low]
}
