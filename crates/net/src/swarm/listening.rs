// SPDX-License-Identifier: MIT OR Apache-2.0
//! Listening: the addresses we asked for, and those we got.

use std::collections::HashSet;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::PoisonError;
use std::time::Duration;

use futures::StreamExt;
use libp2p::Multiaddr;
use libp2p::core::transport::TransportError;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::SwarmEvent;
use tokio::time::{Instant, timeout_at};

use super::Driver;
use crate::error::NetError;
use crate::handle::NetEvent;

/// A listener reports its first address at once; a system that takes longer is broken.
const LISTEN_MAX: Duration = Duration::from_secs(5);

impl Driver {
    /// Listens on all `addresses` and returns when each has its first real one. A wildcard of IPv6 is passed over
    /// where the machine has no IPv6.
    pub(crate) async fn listen(&mut self, addresses: &[String]) -> Result<(), NetError> {
        let parsed = parse_all(addresses)?;
        let mut awaited = HashSet::new();
        for (text, address) in parsed {
            match self.swarm.listen_on(address.clone()) {
                Ok(listener) => {
                    awaited.insert(listener);
                }
                Err(TransportError::MultiaddrNotSupported(_)) => {
                    return Err(bad(text, "no transport speaks it"));
                }
                Err(TransportError::Other(error)) if is_missing_ipv6(&address, &error) => {
                    tracing::info!(%address, %error, "this machine has no IPv6");
                }
                Err(TransportError::Other(error)) => return Err(failed(text, &error.to_string())),
            }
        }
        let deadline = Instant::now() + LISTEN_MAX;
        while !awaited.is_empty() {
            let Ok(event) = timeout_at(deadline, self.swarm.select_next_some()).await else {
                return Err(failed(
                    &addresses.join(" "),
                    "the system reported no address",
                ));
            };
            match &event {
                SwarmEvent::NewListenAddr { listener_id, .. } => {
                    awaited.remove(listener_id);
                }
                SwarmEvent::ListenerClosed {
                    reason: Err(error), ..
                } => {
                    return Err(failed(&addresses.join(" "), &error.to_string()));
                }
                _ => {}
            }
            self.on_swarm_event(event);
        }
        Ok(())
    }

    pub(super) fn on_addresses_changed(&mut self) {
        let mut addresses: Vec<String> = self.swarm.listeners().map(ToString::to_string).collect();
        addresses.sort();
        *self
            .shared
            .addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = addresses.clone();
        // Only the newest list counts, so one that still waits is replaced.
        self.outbox
            .retain(|event| !matches!(event, NetEvent::Listening { .. }));
        self.outbox.push_back(NetEvent::Listening { addresses });
    }
}

fn parse_all(addresses: &[String]) -> Result<Vec<(&str, Multiaddr)>, NetError> {
    let mut parsed = Vec::new();
    for text in addresses {
        let address: Multiaddr = text
            .parse()
            .map_err(|error: libp2p::multiaddr::Error| bad(text, &error.to_string()))?;
        if let Some(socket) = tcp_socket(&address) {
            refuse_taken_port(text, socket)?;
        }
        parsed.push((text.as_str(), address));
    }
    Ok(parsed)
}

fn tcp_socket(address: &Multiaddr) -> Option<SocketAddr> {
    let ip = crate::address::ip(address)?;
    match address.iter().nth(1)? {
        Protocol::Tcp(port) if port != 0 => Some(SocketAddr::new(ip, port)),
        _ => None,
    }
}

// libp2p listens with SO_REUSEPORT, with which a second process would silently get every other connection of the
// first. A socket without that option tells whether the port is free.
fn refuse_taken_port(text: &str, socket: SocketAddr) -> Result<(), NetError> {
    match TcpListener::bind(socket) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            Err(failed(text, &error.to_string()))
        }
        _ => Ok(()),
    }
}

fn is_missing_ipv6(address: &Multiaddr, error: &io::Error) -> bool {
    /// "Address family not supported" on Linux.
    const EAFNOSUPPORT: i32 = 97;
    let any_ipv6 = matches!(address.iter().next(), Some(Protocol::Ip6(ip)) if ip.is_unspecified());
    let missing = error.kind() == io::ErrorKind::AddrNotAvailable
        || error.raw_os_error() == Some(EAFNOSUPPORT);
    any_ipv6 && missing
}

fn bad(address: &str, reason: &str) -> NetError {
    NetError::BadAddress {
        address: address.into(),
        reason: reason.into(),
    }
}

fn failed(address: &str, reason: &str) -> NetError {
    NetError::Listen {
        address: address.into(),
        reason: reason.into(),
    }
}
