// SPDX-License-Identifier: MIT OR Apache-2.0
//! The wait of the driver's thread: for a job, for a time, and for the end of the runtime its node lives in.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::queue::{DriverHandle, Job};

/// The time to wait was over.
pub(super) struct Enough;

/// Waits for the next job on the calling thread, at most for `pause`; `None` when none will come. Uses no timer of a
/// runtime: those panic once their runtime has ended.
pub(super) fn wait(
    jobs: &mut mpsc::Receiver<Job>,
    pause: Option<Duration>,
) -> Result<Option<Job>, Enough> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let begun = Instant::now();
    loop {
        if let Poll::Ready(job) = jobs.poll_recv(&mut context) {
            return Ok(job);
        }
        match pause.map(|pause| pause.saturating_sub(begun.elapsed())) {
            None => thread::park(),
            Some(Duration::ZERO) => return Err(Enough),
            Some(left) => thread::park_timeout(left),
        }
    }
}

/// Wakes a parked thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Stops the driver when it is dropped: its task, and with it the runtime, ended before the node was shut down.
pub(super) struct StopAtEnd(pub(super) DriverHandle);

impl Drop for StopAtEnd {
    fn drop(&mut self) {
        let (done, _nobody_waits) = oneshot::channel();
        self.0.add(Job::Stop(done));
    }
}
