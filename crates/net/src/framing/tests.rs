// SPDX-License-Identifier: MIT OR Apache-2.0
//! Frames that are whole, split, oversized, truncated and garbage.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::pin::Pin;
use std::task::{Context, Poll};

use super::*;

/// Gives its bytes in pieces of the sizes named, then ends.
struct Pieces {
    bytes: Vec<u8>,
    sizes: Vec<usize>,
}

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        out: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let size = self
            .sizes
            .pop()
            .unwrap_or(usize::MAX)
            .min(out.len())
            .min(self.bytes.len());
        out[..size].copy_from_slice(&self.bytes[..size]);
        self.bytes.drain(..size);
        Poll::Ready(Ok(size))
    }
}

fn framed(frame: &[u8]) -> Vec<u8> {
    [
        &u32::try_from(frame.len()).unwrap().to_be_bytes()[..],
        frame,
    ]
    .concat()
}

async fn read_all(
    bytes: Vec<u8>,
    sizes: Vec<usize>,
) -> (Vec<Vec<u8>>, Result<(), StreamError>, usize) {
    let mut reader = FrameReader::new(Pieces { bytes, sizes });
    let mut frames = Vec::new();
    let end = loop {
        match reader.buffered() {
            Ok(Some(frame)) => frames.push(frame),
            Ok(None) => match reader.fill().await {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(error) => break Err(error),
            },
            Err(error) => break Err(error),
        }
    };
    (frames, end, reader.buffer.len())
}

#[tokio::test]
async fn frames_arrive_however_they_are_split() {
    let sent: Vec<Vec<u8>> = [0, 1, 3, 5000, FRAME_BYTES_MAX, 200, 0, 70]
        .iter()
        .map(|&size| vec![u8::try_from(size % 251).unwrap(); size])
        .collect();
    let bytes: Vec<u8> = sent.iter().flat_map(|frame| framed(frame)).collect();
    for sizes in [
        vec![],
        vec![1; bytes.len()],
        vec![3; bytes.len()],
        vec![5, 1, 4096, 2, 2, 70_000],
    ] {
        let (frames, end, _) = read_all(bytes.clone(), sizes).await;
        assert_eq!(end, Ok(()));
        assert!(frames == sent);
    }
}

#[tokio::test]
async fn a_claimed_length_allocates_nothing() {
    let mut bytes = u32::try_from(FRAME_BYTES_MAX)
        .unwrap()
        .to_be_bytes()
        .to_vec();
    bytes.extend([0; 10]);
    let (frames, end, buffer) = read_all(bytes, vec![]).await;
    assert_eq!((frames.len(), end), (0, Err(StreamError::Truncated)));
    assert_eq!(buffer, BUFFER_MIN);
}

#[tokio::test]
async fn an_oversized_frame_is_refused_at_its_head() {
    let claimed = u32::try_from(FRAME_BYTES_MAX).unwrap() + 1;
    let bytes = [
        framed(b"before"),
        claimed.to_be_bytes().to_vec(),
        vec![0; 100],
    ]
    .concat();
    let (frames, end, _) = read_all(bytes, vec![]).await;
    assert_eq!(frames, [b"before"]);
    assert_eq!(
        end,
        Err(StreamError::TooLong {
            claimed,
            max: FRAME_BYTES_MAX
        })
    );
}

#[tokio::test]
async fn a_cut_anywhere_is_truncated_or_a_clean_end() {
    let whole = [framed(b"one"), framed(b"second")].concat();
    for cut in 0..=whole.len() {
        let (frames, end, _) = read_all(whole[..cut].to_vec(), vec![]).await;
        let (clean, count) = match cut {
            0 => (true, 0),
            7 => (true, 1),
            17 => (true, 2),
            _ => (false, usize::from(cut > 7)),
        };
        assert_eq!((frames.len(), end.is_ok()), (count, clean), "cut at {cut}");
    }
}

#[tokio::test]
async fn perturbed_bytes_never_panic() {
    let whole = [framed(&[9; 300]), framed(&[8; 5000]), framed(b"")].concat();
    for position in (0..whole.len()).step_by(7).chain(0..8) {
        for flip in [1u8, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[position] ^= flip;
            let _ = read_all(bytes, vec![17; 400]).await;
        }
    }
}

#[tokio::test]
async fn the_buffer_shrinks_when_little_arrives() {
    let mut bytes = framed(&vec![1; FRAME_BYTES_MAX]);
    for _ in 0..20 {
        bytes.extend(framed(b"small"));
    }
    // Taken from the end: the large frame in pieces of 4 KiB and its last 4 bytes, then the small ones.
    let sizes = [vec![9; 20], vec![4], vec![4096; FRAME_BYTES_MAX / 4096]].concat();
    let (frames, end, buffer) = read_all(bytes, sizes).await;
    assert_eq!((frames.len(), end), (21, Ok(())));
    assert!(buffer <= BUFFER_MIN * 2, "{buffer}");
}
