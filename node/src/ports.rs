// SPDX-License-Identifier: MIT OR Apache-2.0
//! The ports: those a node listened on last. It takes them again, so that whoever knew where it was finds it there.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};

use crate::home::{Home, write_private};

/// Ports by kind of address (`ip4/tcp`, `ip6/udp`, …), as lines of a file of the home: `ip4/tcp 40001`.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Ports {
    by_kind: BTreeMap<String, u16>,
}

impl Ports {
    /// Those of the last run. A file that is missing or makes no sense remembers nothing: any port serves.
    pub(crate) fn remembered(home: &Home) -> Self {
        let text = std::fs::read_to_string(home.ports()).unwrap_or_default();
        let line = |line: &str| {
            let (kind, port) = line.split_once(' ')?;
            Some((
                kind.to_owned(),
                port.parse().ok().filter(|port| *port != 0)?,
            ))
        };
        Self {
            by_kind: text.lines().filter_map(line).collect(),
        }
    }

    /// Those of addresses that are listened on.
    pub(crate) fn of(listening: &[String]) -> Self {
        let listening = listening.iter().filter_map(|address| Parts::of(address));
        Self {
            by_kind: listening.map(|parts| (parts.kind(), parts.port)).collect(),
        }
    }

    /// Keeps these for the next run beside those of other kinds; writes only what changed.
    pub(crate) fn keep(self, home: &Home) -> io::Result<()> {
        let before = Self::remembered(home);
        let mut all = before.clone();
        all.by_kind.extend(self.by_kind);
        if all == before {
            return Ok(());
        }
        let lines = all.by_kind.iter();
        let text: String = lines
            .map(|(kind, port)| format!("{kind} {port}\n"))
            .collect();
        write_private(&home.ports(), text.as_bytes())
    }

    /// The addresses asked for, with the port of the last run where any would do. One that somebody else has taken
    /// meanwhile is given up, and said.
    pub(crate) fn fill_in(&self, asked: &[String]) -> Vec<String> {
        let fill = |address: &String| {
            let known = || {
                let parts = Parts::of(address).filter(|parts| parts.port == 0)?;
                Some((*self.by_kind.get(&parts.kind())?, parts))
            };
            let Some((port, parts)) = known() else {
                return address.clone();
            };
            match parts.is_free(port) {
                Ok(()) => parts.with_port(port),
                Err(error) => {
                    tracing::warn!(
                        "port {port} of the last run cannot be had ({error}); listening on another: \
                         those who knew the old one find this node through a relay, or when it dials them"
                    );
                    address.clone()
                }
            }
        };
        asked.iter().map(fill).collect()
    }
}

/// A multiaddr that begins with an IP address and a port.
struct Parts<'a> {
    ip: IpAddr,
    transport: &'a str,
    port: u16,
    rest: String,
}

impl<'a> Parts<'a> {
    fn of(address: &'a str) -> Option<Self> {
        let mut parts = address.strip_prefix('/')?.split('/');
        let (family, ip, transport, port) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let known = matches!((family, transport), ("ip4" | "ip6", "tcp" | "udp"));
        let (ip, port) = (ip.parse().ok()?, port.parse().ok()?);
        known.then(|| Self {
            ip,
            transport,
            port,
            rest: parts.map(|part| format!("/{part}")).collect(),
        })
    }

    fn family(&self) -> &'static str {
        if self.ip.is_ipv4() { "ip4" } else { "ip6" }
    }

    fn kind(&self) -> String {
        format!("{}/{}", self.family(), self.transport)
    }

    fn with_port(&self, port: u16) -> String {
        let Self { ip, transport, .. } = self;
        format!("/{}/{ip}/{transport}/{port}{}", self.family(), self.rest)
    }

    /// Bound and let go again at once.
    fn is_free(&self, port: u16) -> io::Result<()> {
        let address = SocketAddr::new(self.ip, port);
        match self.transport {
            "tcp" => TcpListener::bind(address).map(drop),
            _ => UdpSocket::bind(address).map(drop),
        }
    }
}

#[cfg(test)]
mod tests;
