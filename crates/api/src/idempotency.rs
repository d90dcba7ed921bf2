// SPDX-License-Identifier: MIT OR Apache-2.0
//! The idempotency key: a POST repeated under the same key has its effect once.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::{HeaderMap, Method};
use sha2::{Digest, Sha256};

use crate::auth::Caller;
use crate::host::Idempotency;
use crate::problem::{Code, Problem};

/// The header a caller chooses its key in.
pub const KEY_HEADER: &str = "idempotency-key";
/// The header that says that a stored answer was given again.
pub const REPLAYED_HEADER: &str = "idempotency-replayed";
/// A key is at most 255 bytes, as elsewhere; a UUID has 36.
const KEY_BYTES_MAX: usize = 255;

/// The keys whose first request still runs. No more than there are connections, which are bounded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Running(Arc<Mutex<BTreeSet<[u8; 32]>>>);

/// One key of [`Running`], until dropped.
#[derive(Debug)]
pub(crate) struct Hold {
    running: Running,
    key: [u8; 32],
}

impl Running {
    /// Holds a key; `None` when another request holds it.
    fn hold(&self, key: [u8; 32]) -> Option<Hold> {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.insert(key).then(|| Hold {
            running: self.clone(),
            key,
        })
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.running
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.key);
    }
}

/// What a POST takes to the host, and what it holds until it is answered.
#[derive(Debug, Default)]
pub(crate) struct Once {
    pub(crate) idempotency: Option<Idempotency>,
    _hold: Option<Hold>,
}

impl Once {
    /// Reads the key of a request, if it has one, and holds it.
    pub(crate) fn read(
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        caller: &Caller,
        body: &[u8],
        running: &Running,
    ) -> Result<Self, Problem> {
        let mut values = headers.get_all(KEY_HEADER).iter();
        let Some(value) = values.next() else {
            return Ok(Self::default());
        };
        let key = value.as_bytes();
        let printable = key.iter().all(|byte| (0x21..=0x7e).contains(byte));
        if values.next().is_some() || key.is_empty() || key.len() > KEY_BYTES_MAX || !printable {
            return Err(Problem::invalid(
                "Idempotency-Key",
                "one key of 1 to 255 printable ASCII characters",
            ));
        }
        let key = digest(&[b"comptoir/api/key", caller.stable_name().as_bytes(), key]);
        let body_hash = digest(&[
            b"comptoir/api/body",
            method.as_str().as_bytes(),
            path.as_bytes(),
            body,
        ]);
        let Some(hold) = running.hold(key) else {
            return Err(Problem {
                retry_after_s: Some(1),
                ..Problem::new(
                    Code::IdempotencyRunning,
                    "ask again with the same key for its answer",
                )
            });
        };
        Ok(Self {
            idempotency: Some(Idempotency { key, body_hash }),
            _hold: Some(hold),
        })
    }
}

/// Hashes parts with their lengths, so that no two lists of parts are the same bytes.
fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}
