// SPDX-License-Identifier: MIT OR Apache-2.0
//! The addresses worth telling: of all a machine listens on, the few that cards and links have room for.

use std::net::{Ipv4Addr, Ipv6Addr};

use comptoir_protocol::limits::ADDRESSES_MAX;

/// The best few of what is listened on, best first: those strangers can dial before those of this house before those of
/// this machine; of one IP address, TCP before QUIC. Addresses that need a network card's name are useless elsewhere.
pub(crate) fn worth_telling(addresses: &[String]) -> Vec<String> {
    let mut ranked: Vec<(u8, &String)> = addresses
        .iter()
        .filter_map(|address| Some((rank(address)?, address)))
        .collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked
        .into_iter()
        .take(ADDRESSES_MAX)
        .map(|(_, address)| address.clone())
        .collect()
}

/// `None` for an address nobody else can dial; a name (`/dns4/…`) was given on purpose and comes first.
fn rank(address: &str) -> Option<u8> {
    let mut parts = address.split('/').skip(1);
    match (parts.next()?, parts.next()?) {
        ("ip4", ip) => rank_v4(ip.parse().ok()?),
        ("ip6", ip) => rank_v6(ip.parse().ok()?),
        _ => Some(0),
    }
}

fn rank_v4(ip: Ipv4Addr) -> Option<u8> {
    match () {
        () if ip.is_unspecified() || ip.is_link_local() => None,
        () if ip.is_loopback() => Some(5),
        () if ip.is_private() => Some(3),
        () => Some(1),
    }
}

fn rank_v6(ip: Ipv6Addr) -> Option<u8> {
    match () {
        () if ip.is_unspecified() || ip.is_unicast_link_local() => None,
        () if ip.is_loopback() => Some(6),
        () if ip.is_unique_local() => Some(4),
        () => Some(2),
    }
}

#[cfg(test)]
mod tests {
    use super::worth_telling;

    #[test]
    fn of_many_addresses_the_best_four_are_told() {
        let all = [
            "/ip4/127.0.0.1/tcp/1",
            "/ip4/127.0.0.1/udp/2/quic-v1",
            "/ip4/192.168.1.7/tcp/1",
            "/ip4/203.0.113.2/tcp/1",
            "/ip4/203.0.113.2/udp/2/quic-v1",
            "/ip6/::1/tcp/3",
            "/ip6/fe80::1/tcp/3",
            "/ip6/2001:db8::2/tcp/3",
            "/ip6/fd00::2/tcp/3",
        ];
        let told = worth_telling(&all.map(str::to_owned));
        let best = [
            "/ip4/203.0.113.2/tcp/1",
            "/ip4/203.0.113.2/udp/2/quic-v1",
            "/ip6/2001:db8::2/tcp/3",
            "/ip4/192.168.1.7/tcp/1",
        ];
        assert_eq!(told, best);
        assert_eq!(
            worth_telling(&["/ip4/127.0.0.1/tcp/1".to_owned()]),
            ["/ip4/127.0.0.1/tcp/1"]
        );
        assert!(
            worth_telling(&["/ip6/fe80::1/tcp/3".to_owned(), "nonsense".to_owned()]).is_empty()
        );
    }
}
