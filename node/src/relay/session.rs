// SPDX-License-Identifier: MIT OR Apache-2.0
//! The session: one client's mailbox stream, from the challenge to its end.

use std::sync::Arc;
use std::time::Duration;

use comptoir_mailbox::{Done, Incoming, MailboxError, Outcome};
use comptoir_net::{FrameSender, RelayStream};
use comptoir_protocol::codec::Wire as _;
use comptoir_protocol::frame::{AnswerFrame, ErrorCode, RelayAnswer, SignedRequest};
use comptoir_protocol::id::Rid;
use tokio::sync::{Notify, OwnedSemaphorePermit};

use super::Shared;

/// Requests of one stream that may be under way. Full: the next frame is read when one is answered, so a fast client is
/// slowed, and waiting fetches cannot pile up without end.
const UNDER_WAY_MAX: usize = 128;

/// Says the challenge, then answers requests until the stream ends. Requests run side by side: answers carry their ids.
pub(super) async fn serve(mut stream: RelayStream, number: u64, shared: Arc<Shared>) {
    let Ok(challenge) = crate::random::<32>() else {
        return;
    };
    let sender = stream.sender();
    say(&sender, 0, RelayAnswer::Challenge(challenge));
    let slots = Arc::new(tokio::sync::Semaphore::new(UNDER_WAY_MAX));
    loop {
        let frame = match stream.recv().await {
            Ok(Some(frame)) => frame,
            Ok(None) => break,
            Err(error) => {
                tracing::debug!(%error, "a mailbox stream ended");
                break;
            }
        };
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            break;
        };
        let session = Session {
            number,
            challenge,
            sender: sender.clone(),
            shared: Arc::clone(&shared),
        };
        session.take(&frame, slot);
    }
    shared.forget(number);
}

struct Session {
    number: u64,
    challenge: [u8; 32],
    sender: FrameSender,
    shared: Arc<Shared>,
}

impl Session {
    /// Checks from cheap to dear, then hands the request to the writer; its thread answers after the commit.
    fn take(self, frame: &[u8], slot: OwnedSemaphorePermit) {
        let request = match SignedRequest::from_bytes(frame) {
            Ok(request) => request,
            Err(error) => {
                let code = if error.needs_newer() {
                    ErrorCode::NeedsNewer
                } else {
                    ErrorCode::Malformed
                };
                return say(
                    &self.sender,
                    0,
                    RelayAnswer::Error {
                        code,
                        text: error.to_string(),
                    },
                );
            }
        };
        let now = self.shared.clock.now();
        match self.shared.writer.preview().refuses(&request, now) {
            Ok(None) => {}
            Ok(Some(answer)) => return say(&self.sender, request.request_id, answer),
            Err(error) => return say(&self.sender, request.request_id, unavailable(&error)),
        }
        match Incoming::open(&request, &self.shared.key, &self.challenge) {
            Ok(incoming) => self.submit(incoming, Some(slot)),
            Err(refused) => say(&self.sender, refused.request_id, refused.answer),
        }
    }

    fn submit(self, incoming: Incoming, slot: Option<OwnedSemaphorePermit>) {
        let (shared, sender, id) = (
            Arc::clone(&self.shared),
            self.sender.clone(),
            incoming.request_id(),
        );
        let again = incoming.clone();
        let runtime = tokio::runtime::Handle::current();
        let done = move |outcome: Result<Done, MailboxError>| match outcome {
            Ok(done) => {
                for news in &done.pushes {
                    self.shared.tell(news.rid, news.sequence);
                }
                match done.outcome {
                    Outcome::Answer(answer) => say(&self.sender, id, answer),
                    Outcome::Subscribed(rids, answer) => {
                        let added = self.shared.subscribe(self.number, &rids, &self.sender);
                        say(&self.sender, id, if added { answer } else { too_many() });
                    }
                    Outcome::Waiting { rid, until_mono_ms } => {
                        // Noted here, on the writer's thread: a deposit committed after this fetch is told after this.
                        let news = Arc::new(Notify::new());
                        self.shared.wait_for(rid, &news);
                        runtime.spawn(self.wait(again, rid, news, until_mono_ms, slot));
                    }
                }
            }
            Err(error) => say(&self.sender, id, unavailable(&error)),
        };
        if let Err(error) = shared
            .writer
            .submit(incoming, shared.clock.now(), Box::new(done))
        {
            say(&sender, id, unavailable(&error));
        }
    }

    /// Waits for news in a box or the end of the time, then asks again for what is there.
    async fn wait(
        self,
        incoming: Incoming,
        rid: Rid,
        news: Arc<Notify>,
        until_mono_ms: u64,
        slot: Option<OwnedSemaphorePermit>,
    ) {
        let pause =
            Duration::from_millis(until_mono_ms.saturating_sub(self.shared.clock.now().mono_ms));
        let _ = tokio::time::timeout(pause, news.notified()).await;
        self.shared.stop_waiting(rid, &news);
        self.submit(incoming.without_wait(), slot);
    }
}

/// The store is busy, full or stopped: the client keeps what it has and tries again.
fn unavailable(error: &MailboxError) -> RelayAnswer {
    tracing::warn!(%error, "a request could not be served");
    match error {
        MailboxError::Busy { .. } => RelayAnswer::Rate {
            retry_after_ms: 200,
        },
        _ => RelayAnswer::Error {
            code: ErrorCode::Storage,
            text: "the relay cannot store anything now".to_owned(),
        },
    }
}

fn say(sender: &FrameSender, request_id: u64, answer: RelayAnswer) {
    // Full or gone: the client asks again on its next stream.
    let _ = sender.send(&AnswerFrame { request_id, answer }.to_bytes());
}

/// More boxes than one stream is told of.
fn too_many() -> RelayAnswer {
    RelayAnswer::Error {
        code: ErrorCode::Limit,
        text: "one connection is told of news in 16,384 boxes".to_owned(),
    }
}
