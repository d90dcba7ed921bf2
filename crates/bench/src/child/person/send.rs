// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sending: many messages as fast as they go, or one at a time.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{MAIN, Person};
use crate::clock;
use crate::figure::{median, quantile};

/// Bytes of a message's text.
const TEXT_BYTES: usize = 200;

/// Message `number` of `tag`: no two are alike.
pub(super) fn text(tag: &str, number: u64) -> String {
    let mut text = format!("{tag} {number:010} ");
    // Not one letter over and over: nothing on the way may find it easy.
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    while text.len() < TEXT_BYTES {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text.push(char::from(b'a' + u8::try_from(state % 26).unwrap_or(0)));
    }
    text
}

impl Person {
    /// Sends messages one by one, at most `window` of them not yet on the other side's disk, and waits for the last.
    pub(super) async fn flood(
        &self,
        tag: &str,
        messages: u64,
        window: u64,
    ) -> anyhow::Result<Value> {
        let thread = self.thread().await?;
        let free = Arc::new(Semaphore::new(0));
        free.add_permits(usize::try_from(window)?);
        let before = self.seen.change(|state| {
            state.delivered.clear();
            state.delivered_up_to
        });
        let returns = tokio::spawn(Arc::clone(&self.seen).give_back(Arc::clone(&free), messages));
        // Making them up is not the messenger's work.
        let texts: Vec<String> = (0..messages).map(|number| text(tag, number)).collect();
        let (started, cpu) = (Instant::now(), clock::cpu_us());
        let (mut sends, mut sent_at) = (JoinSet::new(), Vec::new());
        for text in texts {
            free.acquire().await?.forget();
            let node = self.node.clone();
            sends.spawn(async move {
                let at = clock::now_us();
                node.send(MAIN, thread, &text)
                    .await
                    .map(|sent| (sent.sequence, at))
            });
            while let Some(sent) = sends.try_join_next() {
                sent_at.push(sent??);
            }
        }
        while let Some(sent) = sends.join_next().await {
            sent_at.push(sent??);
        }
        returns.await??;
        let (took, worked) = (started.elapsed(), clock::cpu_us() - cpu);
        let mut waits: Vec<f64> = self.seen.change(|state| {
            let waited = |(sequence, at): &(u64, u64)| {
                state
                    .delivered
                    .get(sequence)
                    .map(|seen| micros(seen.saturating_sub(*at)))
            };
            sent_at.iter().filter_map(waited).collect()
        });
        waits.sort_by(f64::total_cmp);
        let up_to = self.seen.change(|state| state.delivered_up_to);
        ensure!(up_to >= before, "what was delivered is not any more");
        Ok(json!({
            "seconds": took.as_secs_f64(), "cpu_us": worked,
            "wait_p50_us": median(&waits), "wait_p99_us": quantile(&waits, 0.99),
        }))
    }

    /// Sends messages one at a time, each when the one before is on the other side's disk.
    pub(super) async fn lone(&self, tag: &str, messages: u64) -> anyhow::Result<Value> {
        let thread = self.thread().await?;
        let mut sent = Vec::new();
        for number in 0..messages {
            let at = clock::now_us();
            let sequence = self
                .node
                .send(MAIN, thread, &text(tag, number))
                .await?
                .sequence;
            let stored = clock::now_us();
            let delivered = self
                .seen
                .wait_for(|state| state.delivered.get(&sequence).copied())
                .await;
            let delivered = delivered.with_context(|| {
                format!("message {number} of {messages}, sequence {sequence}, is owed")
            })?;
            sent.push(json!({
                "sequence": sequence, "at_us": at, "stored_us": stored - at, "confirmed_us": delivered.saturating_sub(at),
            }));
        }
        Ok(json!({ "sent": sent }))
    }
}

impl super::Seen {
    /// Gives the window back what was delivered, until everything was.
    async fn give_back(self: Arc<Self>, free: Arc<Semaphore>, messages: u64) -> anyhow::Result<()> {
        let mut given = 0;
        while given < messages {
            let here = given;
            let count = self
                .wait_for(|state| Some(state.delivered.len() as u64).filter(|count| *count > here))
                .await?;
            free.add_permits(usize::try_from(count - given)?);
            given = count;
        }
        Ok(())
    }
}

#[allow(clippy::cast_precision_loss)]
fn micros(value: u64) -> f64 {
    value as f64
}
