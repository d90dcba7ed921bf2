// SPDX-License-Identifier: MIT OR Apache-2.0
//! The multiplexer: yamux with bounded windows.
//!
//! libp2p's own wrapper only lets the number of streams be set and keeps a receive window of 1 GiB a connection.
//! A peer that makes us read fast and then stops us could fill that. This wrapper sets both.

use std::collections::VecDeque;
use std::future::{Ready, ready};
use std::io;
use std::iter;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures::{AsyncRead, AsyncWrite};
use libp2p::core::UpgradeInfo;
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade};
use yamux::{Connection, ConnectionError, Mode};

/// Streams of one connection: one of peers, four of mailboxes, identify, and some in negotiation.
const STREAMS_MAX: usize = 64;

/// Bytes one connection may have us hold unread: every stream its first window of 256 KiB.
const WINDOW_BYTES_MAX: usize = 16 << 20;

const _: () = assert!(WINDOW_BYTES_MAX >= STREAMS_MAX * (256 << 10));

/// Bytes of one yamux frame. A full batch of frames travels in few of them, and each is one Noise encryption chain.
const SPLIT_BYTES: usize = 16 << 10;

/// Streams opened by the other side before we looked. More are reset.
const INBOUND_WAITING_MAX: usize = STREAMS_MAX;

/// The yamux upgrade with our bounds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BoundedYamux;

impl BoundedYamux {
    fn connection<C: AsyncRead + AsyncWrite + Unpin>(socket: C, mode: Mode) -> Muxer<C> {
        let mut config = yamux::Config::default();
        config.set_max_num_streams(STREAMS_MAX);
        config.set_max_connection_receive_window(Some(WINDOW_BYTES_MAX));
        config.set_split_send_size(SPLIT_BYTES);
        Muxer {
            connection: Connection::new(socket, config, mode),
            inbound: VecDeque::new(),
            inbound_waker: None,
        }
    }
}

impl UpgradeInfo for BoundedYamux {
    type Info = &'static str;
    type InfoIter = iter::Once<Self::Info>;

    fn protocol_info(&self) -> Self::InfoIter {
        iter::once("/yamux/1.0.0")
    }
}

impl<C: AsyncRead + AsyncWrite + Send + Unpin + 'static> InboundConnectionUpgrade<C>
    for BoundedYamux
{
    type Output = Muxer<C>;
    type Error = io::Error;
    type Future = Ready<Result<Self::Output, Self::Error>>;

    fn upgrade_inbound(self, socket: C, _: Self::Info) -> Self::Future {
        ready(Ok(Self::connection(socket, Mode::Server)))
    }
}

impl<C: AsyncRead + AsyncWrite + Send + Unpin + 'static> OutboundConnectionUpgrade<C>
    for BoundedYamux
{
    type Output = Muxer<C>;
    type Error = io::Error;
    type Future = Ready<Result<Self::Output, Self::Error>>;

    fn upgrade_outbound(self, socket: C, _: Self::Info) -> Self::Future {
        ready(Ok(Self::connection(socket, Mode::Client)))
    }
}

/// One yamux connection.
pub(crate) struct Muxer<C> {
    connection: Connection<C>,
    inbound: VecDeque<yamux::Stream>,
    inbound_waker: Option<Waker>,
}

impl<C: AsyncRead + AsyncWrite + Unpin + 'static> Muxer<C> {
    fn poll_connection(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<yamux::Stream>> {
        self.connection.poll_next_inbound(cx).map(|next| {
            next.unwrap_or(Err(ConnectionError::Closed))
                .map_err(into_io)
        })
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin + 'static> StreamMuxer for Muxer<C> {
    type Substream = yamux::Stream;
    type Error = io::Error;

    fn poll_inbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Self::Substream>> {
        if let Some(stream) = self.inbound.pop_front() {
            return Poll::Ready(Ok(stream));
        }
        if let Poll::Ready(next) = self.poll_connection(cx) {
            return Poll::Ready(next);
        }
        self.inbound_waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Self::Substream>> {
        self.connection.poll_new_outbound(cx).map_err(into_io)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.connection.poll_close(cx).map_err(into_io)
    }

    // Yamux moves bytes only while it is asked for inbound streams, so those that turn up here wait for `poll_inbound`.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<StreamMuxerEvent>> {
        let stream = match self.poll_connection(cx) {
            Poll::Ready(Ok(stream)) => stream,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => return Poll::Pending,
        };
        if self.inbound.len() < INBOUND_WAITING_MAX {
            self.inbound.push_back(stream);
            if let Some(waker) = self.inbound_waker.take() {
                waker.wake();
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

fn into_io(error: ConnectionError) -> io::Error {
    match error {
        ConnectionError::Io(error) => error,
        other => io::Error::other(other),
    }
}
