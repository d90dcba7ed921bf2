// SPDX-License-Identifier: MIT OR Apache-2.0
//! The preview: what can be refused before anybody spends a signature check on it.

use std::sync::Arc;

use comptoir_kv::Kv;
use comptoir_protocol::frame::{RelayAnswer, RelayRequest, SignedRequest};
use comptoir_protocol::time::Time;

use super::overlay::Committed;
use crate::MailboxError;
use crate::rules::{malformed, may_lead_somewhere};

/// Reads committed rows from any thread.
#[derive(Clone)]
pub struct Preview {
    kv: Arc<dyn Kv>,
}

impl Preview {
    pub(crate) fn new(kv: Arc<dyn Kv>) -> Self {
        Self { kv }
    }

    /// Reads a request, and answers it at once if nothing could come of it whoever signed it: no such box, no live
    /// capability of that id, not the key it was granted to. All of them are DENIED, as a false signature is.
    ///
    /// Costs two small reads where an Ed25519 check costs some 50 µs. Believes nothing: what passes is still to be proved.
    pub fn refuses(
        &self,
        request: &SignedRequest,
        now: Time,
    ) -> Result<Option<RelayAnswer>, MailboxError> {
        match request.peek() {
            Ok(peeked) => self.refuses_peeked(&peeked, request, now),
            Err(error) => Ok(Some(malformed(&error))),
        }
    }

    fn refuses_peeked(
        &self,
        peeked: &RelayRequest,
        request: &SignedRequest,
        now: Time,
    ) -> Result<Option<RelayAnswer>, MailboxError> {
        let passes = may_lead_somewhere(peeked, request.signer, now, &Committed(self.kv.as_ref()))?;
        Ok((!passes).then_some(RelayAnswer::Denied))
    }
}
