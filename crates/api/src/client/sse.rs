// SPDX-License-Identifier: MIT OR Apache-2.0
//! The reader of server-sent events: bytes in, whole events out.

/// One event is at most 1 MiB; ours carry ids and have some hundred bytes.
const EVENT_BYTES_MAX: usize = 1024 * 1024;

/// An event as it stands in the stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Frame {
    /// The last `id` seen so far, of this frame or one before.
    pub(super) id: Option<u64>,
    pub(super) event: String,
    /// Empty when the frame only moved the id on.
    pub(super) data: String,
}

/// The stream held an event above the bound.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// Bytes that are not yet a whole event.
#[derive(Debug, Default)]
pub(super) struct Parser {
    buffer: Vec<u8>,
    id: Option<u64>,
}

impl Parser {
    /// Takes bytes in.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() > EVENT_BYTES_MAX && find_end(&self.buffer).is_none() {
            Err(TooLong)
        } else {
            Ok(())
        }
    }

    /// Takes the next whole event out.
    pub(super) fn pop(&mut self) -> Option<Frame> {
        let end = find_end(&self.buffer)?;
        let rest = self.buffer.split_off(end + 2);
        let block = std::mem::replace(&mut self.buffer, rest);
        let mut frame = Frame::default();
        for line in String::from_utf8_lossy(&block).lines() {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "id" => self.id = value.parse().ok().or(self.id),
                "event" => value.clone_into(&mut frame.event),
                "data" if frame.data.is_empty() => value.clone_into(&mut frame.data),
                "data" => frame.data = format!("{}\n{value}", frame.data),
                _ => {}
            }
        }
        frame.id = self.id;
        Some(frame)
    }
}

fn find_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(2).position(|pair| pair == b"\n\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
    use super::*;

    #[test]
    fn events_come_out_whole_however_the_bytes_are_cut() {
        let text = "retry: 1000\n\nid: 7\nevent: a\ndata: {\"x\":1}\n\n: alive\nid: 9\n\nevent: b\ndata: 1\ndata: 2\n\n";
        for cut in 1..text.len() {
            let mut parser = Parser::default();
            let mut frames = Vec::new();
            for part in text.as_bytes().chunks(cut) {
                parser.push(part).unwrap();
                frames.extend(std::iter::from_fn(|| parser.pop()));
            }
            let frame = |id, event: &str, data: &str| Frame {
                id,
                event: event.into(),
                data: data.into(),
            };
            let expected = [
                frame(None, "", ""),
                frame(Some(7), "a", "{\"x\":1}"),
                frame(Some(9), "", ""),
                frame(Some(9), "b", "1\n2"),
            ];
            assert_eq!(frames, expected, "cut into {cut}");
        }
    }

    #[test]
    fn an_event_without_end_is_refused() {
        let mut parser = Parser::default();
        assert_eq!(parser.push(&vec![b'a'; EVENT_BYTES_MAX + 1]), Err(TooLong));
    }
}
