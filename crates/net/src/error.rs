// SPDX-License-Identifier: MIT OR Apache-2.0
//! The errors of the network: one enum per operation, each saying what to do.

use comptoir_protocol::id::PeerKey;
use thiserror::Error;

/// Why an endpoint could not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NetError {
    /// The text is not a multiaddr, or no transport of ours speaks it.
    #[error(
        "the address {address:?} cannot be listened on: {reason}; use for example /ip4/0.0.0.0/tcp/4001"
    )]
    BadAddress {
        /// As given.
        address: String,
        /// What the parser or the transport said.
        reason: String,
    },
    /// The port is taken, or the interface does not exist.
    #[error("cannot listen on {address}: {reason}; choose another port or stop what holds it")]
    Listen {
        /// As given.
        address: String,
        /// What the system said.
        reason: String,
    },
    /// The keys of the transport could not be set up.
    #[error("the transport could not be set up: {0}")]
    Transport(String),
}

/// Why a frame or a command was not taken. Nothing of it was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// The queue is full. Try again when some of what waits was confirmed.
    #[error("the queue to this peer is full")]
    Full,
    /// There is no open stream to this peer or relay now. Dial, or wait for it to come up.
    #[error("not connected")]
    NotConnected,
    /// The frame is longer than any peer would take. Not retryable.
    #[error("the frame has {bytes} bytes, at most {max} are allowed")]
    TooLong {
        /// Of the frame.
        bytes: usize,
        /// The limit of the protocol.
        max: usize,
    },
    /// The endpoint was shut down. Not retryable.
    #[error("the network was shut down")]
    Stopped,
}

/// Why a dialled peer did not become connected.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DialFailure {
    /// None of the addresses could be read or is spoken by a transport of ours.
    #[error("none of the addresses can be dialled")]
    NoAddress,
    /// The key is not a point of the curve. Not retryable.
    #[error("the key is not a valid Ed25519 key")]
    BadKey,
    /// Whoever answered at this address proved another key. The connection was closed before a byte was said.
    #[error("another key answered at {address}")]
    WrongKey {
        /// The key that was proved, where it could be read.
        found: Option<PeerKey>,
        /// Where.
        address: String,
    },
    /// It is our own key.
    #[error("this is our own key")]
    Myself,
    /// Nobody answered at any address.
    #[error("no address answered: {0}")]
    Unreachable(String),
    /// Our own limit of connections refused it. Retry later.
    #[error("our own limit refused the connection: {0}")]
    Limited(String),
    /// The peer answered but does not speak our version of the peer protocol. One side must be updated.
    #[error("the peer does not speak {protocol}; one side must be updated")]
    ProtocolUnsupported {
        /// What we speak.
        protocol: &'static str,
    },
    /// The connection closed before its stream was open, or the stream did not open in time.
    #[error("the connection was lost before it could be used")]
    Lost,
}

/// Why a stream of frames ended.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StreamError {
    /// The claimed length is over the limit. The stream was closed and nothing was allocated for the claim.
    #[error("a frame claims {claimed} bytes, at most {max} are allowed")]
    TooLong {
        /// As claimed.
        claimed: u32,
        /// The limit of the protocol.
        max: usize,
    },
    /// The stream ended inside a frame.
    #[error("the stream ended inside a frame")]
    Truncated,
    /// Nothing arrived for too long.
    #[error("nothing arrived for {seconds} s")]
    Silent {
        /// The limit.
        seconds: u64,
    },
    /// A write made no progress for too long.
    #[error("the other side took nothing for {seconds} s")]
    Stalled {
        /// The limit.
        seconds: u64,
    },
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(String),
}

/// Why a link to a relay is down. It comes back by itself, save where said.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RelayDown {
    /// It could not be dialled.
    #[error(transparent)]
    Dial(#[from] DialFailure),
    /// The relay closed the stream.
    #[error("the relay closed the stream")]
    Closed,
    /// The stream failed.
    #[error(transparent)]
    Stream(#[from] StreamError),
}

/// Why a link to a relay was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// As many links are open as are allowed. Drop one first.
    #[error("{0} links to relays are open, which is the limit")]
    TooMany(usize),
    /// The key is not a point of the curve.
    #[error("the relay's key is not a valid Ed25519 key")]
    BadKey,
}
