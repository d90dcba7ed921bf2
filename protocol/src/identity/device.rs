// SPDX-License-Identifier: MIT OR Apache-2.0
//! The devices of an account: the numbered list, and the certificate that one of them shows.

use std::collections::BTreeSet;

use crate::codec::{DecodeError, at_most};
use crate::id::{AccountId, DeviceId, StatementHash};
use crate::limits::{DEVICES_MAX, REMOVED_MAX};
use crate::signed::Signable;
use crate::tag::label;
use crate::wire_map;

/// One device on a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its key.
    pub id: DeviceId,
    /// Whether it holds the list key.
    pub manager: bool,
    /// When it came onto the list, in wall milliseconds.
    pub added_ms: u64,
}
wire_map!(Device { 0 => id, 1 => manager, 2 => added_ms });

/// A device that a list drops, and the last thing it said that the account stands by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// Its key. It never comes back onto a list.
    pub id: DeviceId,
    /// Hash of its last statement that stands; none: nothing it said without an acknowledgement does.
    pub last_statement: Option<StatementHash>,
}
wire_map!(Removed { 0 => id, 1 => last_statement });

/// The account's devices, numbered and signed by the list key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceList {
    /// The account.
    pub account: AccountId,
    /// 1 for the first list; the larger number wins.
    pub number: u64,
    /// Hash of the list before; none for the first.
    pub previous: Option<StatementHash>,
    /// The devices, ascending by id; at most [`DEVICES_MAX`].
    pub devices: Vec<Device>,
    /// Those that this list drops from the one before; at most [`REMOVED_MAX`].
    pub removed: Vec<Removed>,
}
wire_map!(DeviceList { 0 => account, 1 => number, 2 => previous, 3 => devices, 4 => removed }, check = DeviceList::check);

impl Signable for DeviceList {
    const LABEL: &'static str = label::DEVICE_LIST;
    const VERSION: u16 = 1;
}

impl DeviceList {
    /// The device's entry.
    #[must_use]
    pub fn device(&self, id: DeviceId) -> Option<&Device> {
        self.devices.iter().find(|device| device.id == id)
    }

    fn check(&self) -> Result<(), DecodeError> {
        at_most("devices", self.devices.len(), DEVICES_MAX)?;
        at_most("removed devices", self.removed.len(), REMOVED_MAX)?;
        let ascending = self.devices.windows(2).all(|pair| pair[0].id < pair[1].id);
        let removed: BTreeSet<DeviceId> = self.removed.iter().map(|removed| removed.id).collect();
        if !ascending || removed.len() != self.removed.len() {
            return Err(DecodeError::Invalid {
                what: "a device list names each device once, in ascending order",
            });
        }
        if self
            .devices
            .iter()
            .any(|device| removed.contains(&device.id))
        {
            return Err(DecodeError::Invalid {
                what: "a device list drops a device that it names",
            });
        }
        if self.number == 0 || (self.number == 1) != self.previous.is_none() {
            return Err(DecodeError::Invalid {
                what: "a first list has number 1, every other names its previous",
            });
        }
        Ok(())
    }
}

/// One device's proof that it belongs to its account: short enough for every leaf of every thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceCertificate {
    /// The account.
    pub account: AccountId,
    /// The device.
    pub device: DeviceId,
    /// Number of the list that first named it.
    pub list_number: u64,
}
wire_map!(DeviceCertificate { 0 => account, 1 => device, 2 => list_number });

impl Signable for DeviceCertificate {
    const LABEL: &'static str = label::DEVICE_CERTIFICATE;
    const VERSION: u16 = 1;
}
