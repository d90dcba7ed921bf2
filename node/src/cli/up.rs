// SPDX-License-Identifier: MIT OR Apache-2.0
//! The long-running commands, `up` and `relay run`: start, say where, wait for the end, close in order; and how to end one.

use std::io::Read as _;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

use super::args::Up;
use super::connect::Connection;
use super::output::Output;
use super::{Failure, block_on, secret};
use crate::daemon::Daemon;
use crate::home::Home;
use crate::node::NodeBuilder;
use crate::relay::{Relay, RelayOptions};

/// Runs the node of a home until a signal, `down`, or the end of stdin.
pub(crate) fn node(output: Output, home: &Home, up: Up) -> Result<(), Failure> {
    let unlock = secret::for_existing(home, &up.unlock)?;
    crate::log::start(home).map_err(|error| Failure::file(&home.log(), &error))?;
    block_on(async {
        let ending = ends(up.exit_with_stdin)?;
        let mut builder = NodeBuilder::new(home.clone()).unlock(unlock);
        if !up.listen.is_empty() {
            builder = builder.listen(
                up.listen
                    .into_iter()
                    .filter(|address| address != "none")
                    .collect(),
            );
        }
        let node = builder
            .start()
            .await
            .map_err(|error| Failure::general(error.to_string()))?;
        let daemon = Daemon::start(node, up.api_port)
            .await
            .map_err(|error| Failure::general(error.to_string()))?;
        let ready = daemon.ready();
        tracing::info!(version = env!("CARGO_PKG_VERSION"), listen = ?ready.listen, "up");
        output.data(&ready, || {
            let port = ready
                .port
                .map(|port| format!(" and 127.0.0.1:{port}"))
                .unwrap_or_default();
            format!("ready: api {}{port}", ready.socket.display())
        });
        tokio::select! {
            () = ending.notified() => {}
            () = daemon.asked_to_stop() => {}
        }
        output.say("stopping");
        daemon.stop().await;
        tracing::info!("down");
        Ok(())
    })
}

/// Runs a relay in a home.
pub(crate) fn relay(
    output: Output,
    home: &Home,
    listen: Vec<String>,
    announce: Vec<String>,
    open: bool,
    exit_with_stdin: bool,
) -> Result<(), Failure> {
    home.create()
        .map_err(|error| Failure::general(error.to_string()))?;
    crate::log::start(home).map_err(|error| Failure::file(&home.log(), &error))?;
    block_on(async {
        let ending = ends(exit_with_stdin)?;
        let options = RelayOptions {
            listen,
            announce,
            open,
        };
        let relay = Relay::start(home.clone(), options)
            .await
            .map_err(|error| Failure::general(error.to_string()))?;
        let link = relay.link();
        tracing::info!(version = env!("CARGO_PKG_VERSION"), listen = ?relay.listen(), open, "relay up");
        let ready = serde_json::json!({ "ready": true, "link": link, "listen": relay.listen(), "open": open });
        output.data(&ready, || link.clone());
        if !open {
            output.say("Boxes need a ticket: `comptoir relay ticket` prints a link with one.");
        }
        ending.notified().await;
        output.say("stopping");
        relay.stop().await;
        Ok(())
    })
}

/// Fires once: at SIGINT, SIGTERM, or, if asked for, at the end of stdin.
fn ends(with_stdin: bool) -> Result<Arc<Notify>, Failure> {
    let ending = Arc::new(Notify::new());
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        let mut signals =
            signal(kind).map_err(|error| Failure::general(format!("signals: {error}")))?;
        let ending = Arc::clone(&ending);
        tokio::spawn(async move {
            signals.recv().await;
            ending.notify_one();
        });
    }
    if with_stdin {
        let ending = Arc::clone(&ending);
        // A thread of its own: a blocked read of stdin would keep the runtime from ending.
        std::thread::spawn(move || {
            let mut nothing = [0; 256];
            while matches!(std::io::stdin().lock().read(&mut nothing), Ok(1..)) {}
            ending.notify_one();
        });
    }
    Ok(ending)
}

/// Stops the daemon.
pub(crate) async fn down(connection: &Connection) -> Result<(), Failure> {
    connection.client.shutdown().await?;
    connection
        .output
        .data(&serde_json::json!({ "stopping": true }), String::new);
    connection.output.say("The daemon stops.");
    Ok(())
}
