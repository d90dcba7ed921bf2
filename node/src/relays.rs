// SPDX-License-Identifier: MIT OR Apache-2.0
//! The mailbox client: turns one call of the engine into one answer, over one link a relay. It decides nothing and
//! keeps nothing: what was unanswered is derived again from the engine's rows.

mod link;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use comptoir_engine::{Input, RelayCall, RelayNews, Unreachable};
use comptoir_net::RelayNet;
use comptoir_protocol::id::RelayKey;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use self::link::{Link, Order};
use crate::driver::DriverHandle;

/// The way to every relay the engine calls. Cheap to clone.
#[derive(Clone)]
pub(crate) struct RelayCalls {
    shared: Arc<Shared>,
}

struct Shared {
    net: RelayNet,
    driver: DriverHandle,
    runtime: Handle,
    /// One link a relay. The channel needs no bound of its own: the engine leaves at most 64 calls of a relay
    /// unanswered, and each is answered or given up within a minute.
    links: Mutex<BTreeMap<RelayKey, mpsc::UnboundedSender<Order>>>,
}

impl RelayCalls {
    /// Opens nothing yet; answers go to `driver`, links run on `runtime`.
    pub(crate) fn new(net: RelayNet, driver: DriverHandle, runtime: Handle) -> Self {
        Self {
            shared: Arc::new(Shared {
                net,
                driver,
                runtime,
                links: Mutex::default(),
            }),
        }
    }

    /// Makes a call. Never waits; the answer, or that there was none, comes as an input.
    pub(crate) fn call(&self, call: RelayCall) {
        let relay = call.relay.key;
        let mut links = self
            .shared
            .links
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let order = Order::Call(Box::new(call));
        let undelivered = match links.get(&relay) {
            Some(link) => link.send(order).map_err(|error| error.0).err(),
            None => Some(order),
        };
        // No link yet, or one that ended because nobody had called for a while.
        if let Some(order) = undelivered {
            // Relays come and go with the contacts that name them: what ended must not stay.
            links.retain(|_, link| !link.is_closed());
            links.insert(relay, self.open(relay, order));
        }
    }

    /// Breaks every link: the engine was opened anew and knows of none.
    pub(crate) fn reconnect_all(&self) {
        self.shared
            .links
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    fn open(&self, relay: RelayKey, first: Order) -> mpsc::UnboundedSender<Order> {
        let (orders, inbox) = mpsc::unbounded_channel();
        // The receiver is in our hand, so the channel is open.
        let _ = orders.send(first);
        let (net, driver) = (self.shared.net.clone(), self.shared.driver.clone());
        self.shared
            .runtime
            .spawn(async move { Link::new(relay, net, driver, inbox).run().await });
        orders
    }
}

/// Tells the engine that a call got no answer.
async fn unreachable(driver: &DriverHandle, relay: RelayKey, call: u64) {
    driver
        .input(Input::Relay {
            relay,
            news: RelayNews::Answer {
                call,
                answer: Err(Unreachable),
            },
        })
        .await;
}
