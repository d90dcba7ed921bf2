// SPDX-License-Identifier: MIT OR Apache-2.0
//! The stock: key packages at relays, by which contacts can add this device to a thread while it is away.
//!
//! Each relay holds a pool of its own for each contact, and only the holder of the box's capability may take from it.

use comptoir_crypto::deposit;
use comptoir_crypto::mls::key_package;
use comptoir_protocol::frame::{RelayAnswer, RelayRequest};
use comptoir_protocol::id::Lane;

use crate::memory::Call;
use crate::rows::key::{self, Key};
use crate::rows::reach::{BoxStage, KeptPackage, OwnBox, Purpose, Relay};
use crate::seam::error::EngineError;
use crate::turn::{Turn, read_row};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// Packages left for one contact at one relay: a contact adds us to a thread now and then, not twice a month.
const PACKAGES_PER_BOX: usize = 2;
/// How long a package is good.
const PACKAGE_MS: u64 = 90 * DAY_MS;
/// A pool is filled again after this, well before its packages end.
const RESTOCK_MS: u64 = 30 * DAY_MS;
/// A relay that did not take them is asked again after this: each try makes new ones.
const RETRY_MS: u64 = DAY_MS;
/// Packages looked at in one sweep.
const ROWS_PER_STEP: usize = 512;

impl Turn<'_> {
    /// Fills a box's pool when it is time.
    pub(crate) fn stock(&mut self, number: u32, own_box: &OwnBox) -> Result<(), EngineError> {
        // One pool for a contact at each relay: the box it always has carries it.
        let service = matches!(
            own_box.purpose,
            Purpose::Contact {
                lane: Lane::Service,
                ..
            }
        );
        let contact = service && own_box.stage == BoxStage::Ready;
        let due = own_box
            .stocked_ms
            .is_none_or(|stocked| stocked.saturating_add(RESTOCK_MS) <= self.now.wall_ms);
        let Some(ids) = own_box.ids.filter(|_| contact && due) else {
            return Ok(());
        };
        let Some(grant) = &own_box.grant else {
            return Ok(());
        };
        let Some(relay) = self.load::<Relay>(Key::of(key::RELAY).u32(own_box.relay))? else {
            return Ok(());
        };
        if relay.leaving || !self.relay_has_room(relay.descriptor.key) {
            return Ok(());
        }
        let persona = self.persona(own_box.persona)?;
        let expires_ms = self.now.wall_ms + PACKAGE_MS;
        let mut packages = Vec::new();
        for _ in 0..PACKAGES_PER_BOX {
            let leaf = self.leaf(&persona);
            let seed = self.seed();
            let made = key_package(&leaf, expires_ms, seed)
                .map_err(|error| EngineError::Crypto(error.to_string()))?;
            let (package, secret) = made;
            let row = Key::of(key::PACKAGE)
                .u16(own_box.persona)
                .bytes(&secret.reference());
            self.put(
                row,
                &KeptPackage {
                    secret: secret.to_bytes().to_vec(),
                    expires_ms,
                },
            );
            let k_box = grant.k_box.expose();
            packages.push(deposit::seal_package(
                k_box,
                &relay.descriptor.key,
                &package,
            ));
        }
        let stocked_ms = Some(
            self.now
                .wall_ms
                .saturating_sub(RESTOCK_MS)
                .saturating_add(RETRY_MS),
        );
        self.put(
            Key::of(key::BOX).u32(number),
            &OwnBox {
                stocked_ms,
                ..own_box.clone()
            },
        );
        let request = RelayRequest::KeyPackagesPut {
            rid: ids.rid,
            packages,
        };
        self.call(
            &relay.descriptor,
            request,
            Some(own_box.owner.clone()),
            Call::Stock { own_box: number },
        );
        Ok(())
    }

    pub(crate) fn on_stocked(
        &mut self,
        number: u32,
        answer: &RelayAnswer,
    ) -> Result<(), EngineError> {
        // A pool that is full holds what was left there before.
        let stocked = matches!(
            answer,
            RelayAnswer::KeyPackage { package: None, .. } | RelayAnswer::Full
        );
        if let Some(own_box) = self.box_row(number)?.filter(|_| stocked) {
            let stocked_ms = Some(self.now.wall_ms);
            self.put(
                Key::of(key::BOX).u32(number),
                &OwnBox {
                    stocked_ms,
                    ..own_box
                },
            );
        }
        Ok(())
    }

    /// Destroys the private halves of packages that ended.
    pub(crate) fn sweep_packages(&mut self) -> Result<(), EngineError> {
        for (row_key, row) in self.sweep_rows(key::PACKAGE, ROWS_PER_STEP)? {
            let kept: KeptPackage = read_row(&row_key, &row)?;
            if kept.expires_ms <= self.now.wall_ms {
                self.delete(row_key);
            }
        }
        Ok(())
    }
}
