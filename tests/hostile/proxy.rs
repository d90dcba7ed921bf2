// SPDX-License-Identifier: MIT OR Apache-2.0
//! The recording proxy: stands between two ends of TCP, passes everything on, and keeps a copy.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A proxy on loopback; it runs as long as the test.
#[derive(Debug)]
pub(crate) struct Proxy {
    own: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    target: Mutex<Option<SocketAddr>>,
    /// What passed, one vector a connection and direction: a word is found only if it is whole in one of them.
    recorded: Mutex<Vec<Vec<u8>>>,
}

impl Proxy {
    /// Listens; nobody is let through before [`leads_to`](Self::leads_to).
    pub(crate) fn new() -> Self {
        Self::at(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// The same, in the place of somebody who listened there.
    pub(crate) fn at(place: SocketAddr) -> Self {
        let listener = TcpListener::bind(place).unwrap();
        let own = listener.local_addr().unwrap();
        let shared = Arc::<Shared>::default();
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let Some(target) = *accepting.target.lock().unwrap() else {
                    continue;
                };
                let Ok(far) = TcpStream::connect(target) else {
                    continue;
                };
                let ends = [(near.try_clone(), far.try_clone()), (Ok(far), Ok(near))];
                for (from, to) in ends {
                    let shared = Arc::clone(&accepting);
                    std::thread::spawn(move || shared.passes_on(from.unwrap(), to.unwrap()));
                }
            }
        });
        Self { own, shared }
    }

    /// Where it listens, as a multiaddr.
    pub(crate) fn address(&self) -> String {
        format!("/ip4/127.0.0.1/tcp/{}", self.own.port())
    }

    /// Names the other end.
    pub(crate) fn leads_to(&self, target: SocketAddr) {
        *self.shared.target.lock().unwrap() = Some(target);
    }

    /// Everything that passed so far.
    pub(crate) fn recorded(&self) -> Vec<Vec<u8>> {
        self.shared.recorded.lock().unwrap().clone()
    }
}

impl Shared {
    fn passes_on(&self, mut from: TcpStream, mut to: TcpStream) {
        let place = {
            let mut recorded = self.recorded.lock().unwrap();
            recorded.push(Vec::new());
            recorded.len() - 1
        };
        let mut buffer = [0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            self.recorded.lock().unwrap()[place].extend_from_slice(&buffer[..count]);
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    }
}

/// The TCP end that a multiaddr on loopback names.
pub(crate) fn socket(address: &str) -> SocketAddr {
    let port = address
        .split("/tcp/")
        .nth(1)
        .unwrap()
        .split('/')
        .next()
        .unwrap();
    SocketAddr::from(([127, 0, 0, 1], port.parse().unwrap()))
}
