// SPDX-License-Identifier: MIT OR Apache-2.0
//! The schema: what the rows mean, and how older rows become newer ones.
//!
//! A migration walks its rows in pages. Each page is one commit that also says how far it came, so a migration that is
//! killed goes on where it was; it may meet a row that it changed already, and must leave it as it is. There is no way
//! back: a newer schema is refused and left alone.

use std::collections::BTreeMap;

use comptoir_crypto::at_rest::Sealer;
use comptoir_kv::{Batch, Kv};

use crate::StoreError;
use crate::codec;
use crate::core::{CHECK, CONSUMER, DESTROYING, HEADER, unseal};
use crate::records::{ConsumerV1, ConsumerV2, HeaderV1};

/// The schema this program writes.
pub const SCHEMA: u32 = 3;

/// The first schema with keys of scopes.
const SLOTS_SINCE: u32 = 3;

const HEADER_KEY: [u8; 1] = [HEADER];
const CHECK_KEY: [u8; 1] = [CHECK];
const CHECK_VALUE: &[u8] = b"comptoir store";

/// Rows a page of a migration holds: with rows of 4 KiB a commit of a quarter of a MiB.
const PAGE_ROWS: usize = 64;

/// One step forward: which rows it walks, and what becomes of each.
struct Migration {
    from: u32,
    prefix: &'static [u8],
    row: fn(&[u8]) -> Result<Vec<u8>, StoreError>,
}

/// Every step, in order; a released one is never changed.
const MIGRATIONS: [Migration; 2] = [
    Migration {
        from: 1,
        prefix: &[CONSUMER],
        row: consumer_2,
    },
    // Rows of threads are sealed under keys of their own from now on; older ones stay as they are and are read by not
    // being marked. There was nothing in this space: no row is walked.
    Migration {
        from: 2,
        prefix: &[DESTROYING],
        row: unchanged,
    },
];

const _: () = assert!(MIGRATIONS.len() as u32 + 1 == SCHEMA);

/// Reads what the store is, makes a new one, refuses a newer one, brings an older one up to date.
pub(crate) fn open(kv: &dyn Kv, sealer: &Sealer) -> Result<(), StoreError> {
    let Some(header) = kv.get(&HEADER_KEY)? else {
        return create(kv, sealer);
    };
    let mut header: HeaderV1 = codec::decode(&header)?;
    let found = header.schema.max(header.migrating_to);
    if found > SCHEMA {
        return Err(StoreError::Newer {
            found,
            known: SCHEMA,
        });
    }
    check_key(kv, sealer)?;
    check_slots(kv, header.schema)?;
    while header.schema < SCHEMA {
        let next = MIGRATIONS
            .iter()
            .find(|migration| migration.from == header.schema);
        let next = next.ok_or_else(|| {
            StoreError::Corrupt(format!("schema {} was never released", header.schema))
        })?;
        migrate(kv, sealer, &mut header, next)?;
    }
    Ok(())
}

fn create(kv: &dyn Kv, sealer: &Sealer) -> Result<(), StoreError> {
    if !kv.scan(&[], None, false, 1)?.is_empty() {
        return Err(StoreError::Corrupt("it has rows and no header".into()));
    }
    let header = HeaderV1 {
        schema: SCHEMA,
        migrating_to: SCHEMA,
        migrated_up_to: Vec::new(),
    };
    let mut batch = Batch::new();
    batch.insert(
        CHECK_KEY.to_vec(),
        Some(sealer.seal(CHECK, &CHECK_KEY, CHECK_VALUE)),
    );
    put_header(&mut batch, &header)?;
    kv.write_slots(&BTreeMap::new())?;
    Ok(kv.commit(&batch)?)
}

/// From schema 3 on the file of keys is as old as the store. Rows without it were never written; a new one in place of
/// one that is lost would hide what is lost with it.
fn check_slots(kv: &dyn Kv, schema: u32) -> Result<(), StoreError> {
    if schema < SLOTS_SINCE {
        return Ok(kv.write_slots(&BTreeMap::new())?);
    }
    match kv.slots()? {
        Some(_) => Ok(()),
        None => Err(StoreError::Corrupt(format!(
            "the file {} is missing: without it nothing that was said can be read; restore it from a backup",
            comptoir_kv::SLOTS_FILE
        ))),
    }
}

fn check_key(kv: &dyn Kv, sealer: &Sealer) -> Result<(), StoreError> {
    let sealed = kv
        .get(&CHECK_KEY)?
        .ok_or_else(|| StoreError::Corrupt("the row that checks its key is missing".into()))?;
    match unseal(sealer, &CHECK_KEY, &sealed) {
        Ok(value) if value == CHECK_VALUE => Ok(()),
        _ => Err(StoreError::WrongKey),
    }
}

fn migrate(
    kv: &dyn Kv,
    sealer: &Sealer,
    header: &mut HeaderV1,
    migration: &Migration,
) -> Result<(), StoreError> {
    let mut from = match (
        header.migrating_to > header.schema,
        header.migrated_up_to.is_empty(),
    ) {
        (true, false) => Some(after(&header.migrated_up_to)),
        _ => None,
    };
    loop {
        let page = kv.scan(migration.prefix, from.as_deref(), false, PAGE_ROWS)?;
        let last = page.last().map(|(key, _)| key.clone());
        let mut batch = Batch::new();
        for (key, sealed) in page {
            let value = (migration.row)(&unseal(sealer, &key, &sealed)?)?;
            batch.insert(key.clone(), Some(sealer.seal(key[0], &key, &value)));
        }
        match last {
            Some(last) => {
                from = Some(after(&last));
                header.migrating_to = migration.from + 1;
                header.migrated_up_to = last;
            }
            None => {
                let schema = migration.from + 1;
                *header = HeaderV1 {
                    schema,
                    migrating_to: schema,
                    migrated_up_to: Vec::new(),
                };
            }
        }
        put_header(&mut batch, header)?;
        kv.commit(&batch)?;
        if header.schema > migration.from {
            return Ok(());
        }
    }
}

fn put_header(batch: &mut Batch, header: &HeaderV1) -> Result<(), StoreError> {
    let bytes = codec::encode(header)
        .ok_or_else(|| StoreError::Refused("the header is too long".into()))?;
    batch.insert(HEADER_KEY.to_vec(), Some(bytes));
    Ok(())
}

/// The smallest key above this one.
fn after(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

fn unchanged(row: &[u8]) -> Result<Vec<u8>, StoreError> {
    Ok(row.to_vec())
}

/// Schema 2: a consumer also knows when it last acknowledged, so that one nobody uses any more can be told.
fn consumer_2(row: &[u8]) -> Result<Vec<u8>, StoreError> {
    use crate::codec::Record;
    if codec::version::<ConsumerV2>(row)? == ConsumerV2::VERSION {
        return Ok(row.to_vec());
    }
    let ConsumerV1 { name, acknowledged } = codec::decode(row)?;
    let consumer = ConsumerV2 {
        name,
        acknowledged,
        acknowledged_ms: 0,
    };
    codec::encode(&consumer)
        .ok_or_else(|| StoreError::Corrupt("a consumer's name is too long".into()))
}
