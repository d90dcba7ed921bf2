// SPDX-License-Identifier: MIT OR Apache-2.0
//! Relays of the host in memory.

use super::samples::sample_relay;
use super::{TestHost, done, good, now};
use crate::dto::*;
use crate::host::*;
use crate::id::*;

impl RelayHost for TestHost {
    fn relays(&self) -> Answer<'_, Vec<Relay>> {
        good(vec![sample_relay()])
    }
    fn add_relay(&self, _: NewRelay, once: Option<Idempotency>) -> Answer<'_, Written<Relay>> {
        done(self.write("add relay".to_owned(), once, sample_relay()))
    }
    fn remove_relay(&self, _: RelayId) -> Answer<'_, ()> {
        self.plain("remove relay".to_owned(), ())
    }
    fn move_relay(
        &self,
        _: RelayId,
        _: RelayMove,
        once: Option<Idempotency>,
    ) -> Answer<'_, Written<Relay>> {
        done(self.write("move relay".to_owned(), once, sample_relay()))
    }
    fn own_relay(&self) -> Answer<'_, OwnRelay> {
        good(OwnRelay {
            running: false,
            open: false,
            link: None,
            boxes: 0,
            items: 0,
            bytes: 0,
        })
    }
    fn ticket(&self, _: NewTicket, once: Option<Idempotency>) -> Answer<'_, Written<Ticket>> {
        let ticket = Ticket {
            link: "comptoir-relay:x".to_owned(),
            bytes: 1,
            boxes: 1,
            expires: now(),
        };
        done(self.write("ticket".to_owned(), once, ticket))
    }
}
