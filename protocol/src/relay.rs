// SPDX-License-Identifier: MIT OR Apache-2.0
//! The relay descriptor: which relay, and where it listens.

use crate::codec::{DecodeError, at_most};
use crate::id::RelayKey;
use crate::limits::{ADDRESS_BYTES_MAX, ADDRESSES_MAX};
use crate::wire_map;

/// A relay as cards, links and capabilities name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RelayDescriptor {
    /// Its key; the connection is refused when it shows another.
    pub key: RelayKey,
    /// Multiaddrs as text, best first; at most [`ADDRESSES_MAX`].
    pub addresses: Vec<String>,
}
wire_map!(RelayDescriptor { 0 => key, 1 => addresses }, check = RelayDescriptor::check);

impl RelayDescriptor {
    fn check(&self) -> Result<(), DecodeError> {
        check_addresses(&self.addresses)
    }
}

/// Checks the bounds and the characters of a list of addresses.
pub(crate) fn check_addresses(addresses: &[String]) -> Result<(), DecodeError> {
    at_most("addresses", addresses.len(), ADDRESSES_MAX)?;
    addresses
        .iter()
        .try_for_each(|address| check_address(address))
}

/// An address is printable ASCII that starts with a slash: it is shown to people and passed to a parser.
pub(crate) fn check_address(address: &str) -> Result<(), DecodeError> {
    at_most("bytes of an address", address.len(), ADDRESS_BYTES_MAX)?;
    if !address.starts_with('/') || !address.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(DecodeError::Invalid {
            what: "an address is a multiaddr in printable ASCII",
        });
    }
    Ok(())
}
