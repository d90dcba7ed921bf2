// SPDX-License-Identifier: MIT OR Apache-2.0
//! The frame: four bytes of length, big-endian, then the bytes. A frame of length zero is a sign of life.

use std::io;

use comptoir_protocol::limits::FRAME_BYTES_MAX;
use futures::{AsyncRead, AsyncReadExt};

use crate::error::StreamError;

/// Bytes of the length before each frame.
pub(crate) const LENGTH_BYTES: usize = 4;

/// Smallest read buffer: what an idle stream costs.
const BUFFER_MIN: usize = 4 << 10;

/// Largest single read.
const BUFFER_MAX: usize = 64 << 10;

/// Reads frames off a stream. The buffer grows with the bytes that arrived, never with the length that was claimed,
/// and shrinks again when little arrives.
#[derive(Debug)]
pub(crate) struct FrameReader<R> {
    stream: R,
    buffer: Vec<u8>,
    /// `buffer[start..end]` has arrived and was not yet taken.
    start: usize,
    end: usize,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub(crate) fn new(stream: R) -> Self {
        Self {
            stream,
            buffer: vec![0; BUFFER_MIN],
            start: 0,
            end: 0,
        }
    }

    /// Takes the next frame that has arrived whole. An empty one is a sign of life, for the caller to skip.
    pub(crate) fn buffered(&mut self) -> Result<Option<Vec<u8>>, StreamError> {
        let Some(arrived) = self.buffer.get(self.start..self.end) else {
            return Ok(None);
        };
        let Some((head, rest)) = arrived.split_first_chunk::<LENGTH_BYTES>() else {
            return Ok(None);
        };
        let claimed = u32::from_be_bytes(*head);
        let length = usize::try_from(claimed).unwrap_or(usize::MAX);
        if length > FRAME_BYTES_MAX {
            return Err(StreamError::TooLong {
                claimed,
                max: FRAME_BYTES_MAX,
            });
        }
        let Some(frame) = rest.get(..length) else {
            return Ok(None);
        };
        let frame = frame.to_vec();
        self.start += LENGTH_BYTES + length;
        Ok(Some(frame))
    }

    /// Reads once. `Ok(false)`: the stream ended between two frames. Cancel-safe: a cancelled read took nothing.
    pub(crate) async fn fill(&mut self) -> Result<bool, StreamError> {
        self.make_room();
        let room = &mut self.buffer[self.end..];
        let offered = room.len();
        let read = self.stream.read(room).await.map_err(broken)?;
        if read == 0 {
            return if self.start == self.end {
                Ok(false)
            } else {
                Err(StreamError::Truncated)
            };
        }
        self.end += read;
        if read == offered && self.buffer.len() < BUFFER_MAX {
            self.buffer.resize(self.buffer.len() * 2, 0);
        } else if read < offered / 8
            && self.buffer.len() > BUFFER_MIN
            && self.end <= self.buffer.len() / 2
        {
            self.buffer.truncate(self.buffer.len() / 2);
            self.buffer.shrink_to_fit();
        }
        Ok(true)
    }

    /// Moves what is left to the front, and doubles the buffer only when a frame's arrived part fills it.
    fn make_room(&mut self) {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
    }
}

pub(crate) fn broken(error: io::Error) -> StreamError {
    StreamError::Broken(error.to_string())
}

#[cfg(test)]
mod tests;
