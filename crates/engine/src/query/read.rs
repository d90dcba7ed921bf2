// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reading rows for queries: a row that cannot be read is an error that names it, never an empty answer.

use comptoir_protocol::codec::Wire;

use crate::rows::key::Key;
use crate::rows::record::from_row;
use crate::seam::view::{Scan, View, ViewError};

/// Reads one row.
pub(super) fn one<T: Wire>(view: &impl View, key: Key) -> Result<Option<T>, ViewError> {
    let key: Vec<u8> = key.into();
    view.get(&key)?.map(|row| read(&key, &row)).transpose()
}

/// Reads the rows under a prefix with their keys.
pub(super) fn all<T: Wire>(view: &impl View, prefix: Key) -> Result<Vec<(Vec<u8>, T)>, ViewError> {
    view.scan(Scan::all(prefix))?
        .into_iter()
        .map(|(key, row)| Ok((key.clone(), read(&key, &row)?)))
        .collect()
}

/// Reads a value as it came from a row.
pub(super) fn read<T: Wire>(key: &[u8], row: &[u8]) -> Result<T, ViewError> {
    from_row(row).map_err(|error| ViewError(format!("row {}: {error}", hex(key))))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
