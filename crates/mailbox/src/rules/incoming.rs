// SPDX-License-Identifier: MIT OR Apache-2.0
//! The incoming request: read, and proved to be its signer's on this stream of this relay.

use comptoir_protocol::DecodeError;
use comptoir_protocol::error::VerifyError;
use comptoir_protocol::frame::{
    AnswerFrame, BlobRight, ErrorCode, RelayAnswer, RelayRequest, SignedRequest,
};
use comptoir_protocol::id::{CapabilityId, PublicKey, RelayKey, Sid};
use comptoir_protocol::time::Time;

use super::boxes::Pointer;
use super::capabilities::Granted;
use super::keys;
use super::record::Record;
use super::view::View;
use crate::MailboxError;

/// A request that may be decided. Made by [`Incoming::open`] alone, so no rule sees an unproved signer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    request_id: u64,
    request: RelayRequest,
    signer: Option<PublicKey>,
}

impl Incoming {
    /// Reads a request and checks its signature against the stream's challenge, or says what to answer instead.
    ///
    /// Costs an Ed25519 check, so ask the backend's `preview` first whether the request can lead to anything. May run on
    /// any thread.
    pub fn open(
        request: &SignedRequest,
        relay: &RelayKey,
        challenge: &[u8; 32],
    ) -> Result<Self, Box<AnswerFrame>> {
        let request_id = request.request_id;
        match request.open(relay, challenge) {
            Ok((request, signer)) => Ok(Self {
                request_id,
                request,
                signer,
            }),
            Err(error) => Err(Box::new(AnswerFrame {
                request_id,
                answer: answer_to(&error),
            })),
        }
    }

    /// The number its answer repeats.
    #[must_use]
    pub fn request_id(&self) -> u64 {
        self.request_id
    }

    /// What is asked.
    #[must_use]
    pub fn request(&self) -> &RelayRequest {
        &self.request
    }

    /// The key that stands for it, where one does.
    #[must_use]
    pub fn signer(&self) -> Option<PublicKey> {
        self.signer
    }

    /// The same request, to be answered at once: what a fetch becomes when its wait is over.
    #[must_use]
    pub fn without_wait(mut self) -> Self {
        if let RelayRequest::Fetch { wait_s, .. } = &mut self.request {
            *wait_s = 0;
        }
        self
    }
}

/// A false signature is answered as a revoked capability is: whoever guesses at boxes learns nothing from the difference.
fn answer_to(error: &VerifyError) -> RelayAnswer {
    match error {
        VerifyError::Decode(error) => malformed(error),
        _ => RelayAnswer::Denied,
    }
}

/// The answer to bytes that are no request.
pub(crate) fn malformed(error: &DecodeError) -> RelayAnswer {
    let code = if error.needs_newer() {
        ErrorCode::NeedsNewer
    } else {
        ErrorCode::Malformed
    };
    RelayAnswer::Error {
        code,
        text: error.to_string(),
    }
}

/// Whether a request could lead to anything if its signature were right: two small reads instead of an Ed25519 check.
pub(crate) fn may_lead_somewhere(
    request: &RelayRequest,
    signer: Option<PublicKey>,
    now: Time,
    view: &dyn View,
) -> Result<bool, MailboxError> {
    let Some((sid, capability)) = writer_of(request) else {
        return Ok(true);
    };
    let Some(pointer) = view.get(&keys::by_sender(sid))? else {
        return Ok(false);
    };
    let number = Pointer::from_row(&pointer)?.number;
    let Some(row) = view.get(&keys::capability(number, capability))? else {
        return Ok(false);
    };
    let granted = Granted::from_row(&row)?;
    Ok(signer == Some(granted.writer) && granted.terms.not_after_ms > now.wall_ms)
}

/// The box and the capability of a request that a writer signs.
fn writer_of(request: &RelayRequest) -> Option<(&Sid, &CapabilityId)> {
    match request {
        RelayRequest::Put {
            sid, capability, ..
        }
        | RelayRequest::KeyPackageTake { sid, capability }
        | RelayRequest::BlobPut {
            right: BlobRight::Writer { sid, capability },
            ..
        }
        | RelayRequest::BlobDrop {
            right: BlobRight::Writer { sid, capability },
            ..
        } => Some((sid, capability)),
        _ => None,
    }
}
