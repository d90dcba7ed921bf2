// SPDX-License-Identifier: MIT OR Apache-2.0
//! Addresses and keys: our 32-byte keys and multiaddr texts on one side, libp2p's types on the other.

use std::net::{IpAddr, Ipv6Addr};

use libp2p::identity::{PublicKey, ed25519};
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

use crate::config::ADDRESSES_MAX;
use crate::error::DialFailure;

/// The code of multihashes that hold the key itself; every Ed25519 key fits into one.
const IDENTITY_HASH: u64 = 0;

/// The libp2p name of an Ed25519 key. `None`: the bytes are no point of the curve.
pub(crate) fn peer_id(key: &[u8; 32]) -> Option<PeerId> {
    let key = ed25519::PublicKey::try_from_bytes(key).ok()?;
    Some(PublicKey::from(key).to_peer_id())
}

/// The Ed25519 key inside a libp2p name. `None`: it names a key of another kind, which we do not serve.
pub(crate) fn key(peer: &PeerId) -> Option<[u8; 32]> {
    let hash = peer.as_ref();
    if hash.code() != IDENTITY_HASH {
        return None;
    }
    let key = PublicKey::try_decode_protobuf(hash.digest()).ok()?;
    Some(key.try_into_ed25519().ok()?.to_bytes())
}

/// The addresses of one dial, in the order they are tried: TCP first, since its handshake costs a fraction of
/// QUIC's, and QUIC when no TCP address answered. At most [`ADDRESSES_MAX`] are kept; texts that are not
/// multiaddrs, that name another key, or that no transport of ours speaks are left out.
pub(crate) fn dial_plan(
    addresses: &[String],
    peer: &PeerId,
) -> Result<Vec<Multiaddr>, DialFailure> {
    let usable: Vec<Multiaddr> = addresses
        .iter()
        .take(ADDRESSES_MAX)
        .filter_map(|text| usable_address(text, peer))
        .collect();
    if usable.is_empty() {
        return Err(DialFailure::NoAddress);
    }
    let (tcp, quic): (Vec<_>, Vec<_>) = usable.into_iter().partition(|address| !is_quic(address));
    Ok(tcp.into_iter().chain(quic).collect())
}

/// Takes the next addresses to try at once off `plan`: all TCP ones, or else all QUIC ones.
pub(crate) fn next_stage(plan: &mut Vec<Multiaddr>) -> Vec<Multiaddr> {
    let Some(first) = plan.first() else {
        return Vec::new();
    };
    let quic = is_quic(first);
    let (stage, rest) = std::mem::take(plan)
        .into_iter()
        .partition(|address| is_quic(address) == quic);
    *plan = rest;
    stage
}

/// An address without the key that libp2p writes behind it.
pub(crate) fn without_key(address: &Multiaddr) -> Multiaddr {
    address
        .iter()
        .filter(|part| !matches!(part, Protocol::P2p(_)))
        .collect()
}

fn usable_address(text: &str, peer: &PeerId) -> Option<Multiaddr> {
    let mut address: Multiaddr = text.parse().ok()?;
    if let Some(Protocol::P2p(named)) = address.iter().last() {
        if named != *peer {
            return None;
        }
        address.pop();
    }
    is_spoken(&address).then_some(address)
}

/// Host, then TCP or QUIC version 1, and nothing more.
fn is_spoken(address: &Multiaddr) -> bool {
    let mut parts = address.iter();
    let host = matches!(
        parts.next(),
        Some(
            Protocol::Ip4(_)
                | Protocol::Ip6(_)
                | Protocol::Dns(_)
                | Protocol::Dns4(_)
                | Protocol::Dns6(_)
        )
    );
    let transport = match parts.next() {
        Some(Protocol::Tcp(_)) => true,
        Some(Protocol::Udp(_)) => matches!(parts.next(), Some(Protocol::QuicV1)),
        _ => false,
    };
    host && transport && parts.next().is_none()
}

fn is_quic(address: &Multiaddr) -> bool {
    address.iter().any(|part| matches!(part, Protocol::QuicV1))
}

/// The IP address at the head of a multiaddr.
pub(crate) fn ip(address: &Multiaddr) -> Option<IpAddr> {
    match address.iter().next()? {
        Protocol::Ip4(ip) => Some(IpAddr::V4(ip)),
        Protocol::Ip6(ip) => Some(ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4)),
        _ => None,
    }
}

/// Who counts as one source: an IPv4 address, or an IPv6 /64, since that is what one customer is given.
pub(crate) fn source(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, missing_docs)]
    use libp2p::identity::Keypair;

    use super::*;

    fn some_peer() -> PeerId {
        Keypair::generate_ed25519().public().to_peer_id()
    }

    ///
    #[test]
    fn a_key_and_its_name_turn_into_each_other() {
        let peer = some_peer();
        let bytes = key(&peer).unwrap();
        assert_eq!(peer_id(&bytes), Some(peer));
    }

    #[test]
    fn bytes_off_the_curve_have_no_name() {
        let off_curve = (0u8..=255)
            .map(|n| [n; 32])
            .find(|bytes| peer_id(bytes).is_none());
        assert!(off_curve.is_some());
    }

    #[test]
    fn tcp_is_tried_first_and_strange_addresses_are_left_out() {
        let (peer, other) = (some_peer(), some_peer());
        let texts = [
            "/ip4/10.0.0.1/udp/1/quic-v1".to_string(),
            "not an address".into(),
            "/ip4/10.0.0.1/tcp/1/ws".into(),
            "/memory/7".into(),
            "/ip4/10.0.0.1/udp/1/quic-v1/p2p-circuit".into(),
            format!("/ip4/10.0.0.2/tcp/1/p2p/{peer}"),
            format!("/ip4/10.0.0.3/tcp/1/p2p/{other}"),
            "/dns4/shop.example/tcp/4001".into(),
        ];
        let mut plan = dial_plan(&texts, &peer).unwrap();
        let show =
            |stage: Vec<Multiaddr>| stage.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            show(next_stage(&mut plan)),
            ["/ip4/10.0.0.2/tcp/1", "/dns4/shop.example/tcp/4001"]
        );
        assert_eq!(show(next_stage(&mut plan)), ["/ip4/10.0.0.1/udp/1/quic-v1"]);
        assert!(next_stage(&mut plan).is_empty());
        assert_eq!(
            dial_plan(&["/memory/1".into()], &peer),
            Err(DialFailure::NoAddress)
        );
    }

    #[test]
    fn a_dial_takes_a_bounded_number_of_addresses() {
        let texts: Vec<String> = (0..1000)
            .map(|n| format!("/ip4/10.0.0.1/tcp/{n}"))
            .collect();
        assert_eq!(
            dial_plan(&texts, &some_peer()).unwrap().len(),
            ADDRESSES_MAX
        );
    }

    #[test]
    fn a_source_is_an_address_or_a_subnet() {
        let same = |a: &str, b: &str| source(a.parse().unwrap()) == source(b.parse().unwrap());
        assert!(same("2001:db8::1", "2001:db8::ffff:1"));
        assert!(!same("2001:db8::1", "2001:db8:0:1::1"));
        assert!(!same("10.0.0.1", "10.0.0.2"));
        assert_eq!(
            ip(&"/ip6/::ffff:10.0.0.1/tcp/1".parse().unwrap()),
            Some("10.0.0.1".parse().unwrap())
        );
    }
}
