// SPDX-License-Identifier: MIT OR Apache-2.0
//! The embedded node: whoever ends it has its folder free again, in whichever way it ended.

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use comptoir::{Home, Node, NodeBuilder, StartError};
use tokio::runtime::Runtime;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

async fn start(home: &Path, listen: &str) -> Result<Node, StartError> {
    NodeBuilder::new(Home::new(home))
        .listen(vec![listen.to_owned()])
        .create()
        .start()
        .await
}

const ANY: &str = "/ip4/127.0.0.1/tcp/0";

#[test]
fn the_folder_is_free_when_shutdown_returns_though_a_handle_lives_on() {
    let home = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let node = start(home.path(), ANY).await.unwrap();
        let (clone, phrase) = (node.clone(), Node::new_phrase().unwrap());
        node.create_persona("main", "Alice", &phrase).await.unwrap();
        assert!(start(home.path(), ANY).await.is_err(), "two own one folder");
        node.shutdown().await;

        let again = start(home.path(), ANY).await.unwrap();
        assert_eq!(again.personas().unwrap().len(), 1);
        let said = clone.personas().unwrap_err().to_string();
        assert!(said.contains("the store is closed"), "{said}");
        assert!(clone.create_persona("two", "Two", &phrase).await.is_err());
        clone.shutdown().await;
        again.shutdown().await;
    });
}

#[test]
fn a_runtime_that_ends_takes_its_node_along_in_order() {
    let home = tempfile::tempdir().unwrap();
    let ended = runtime();
    let node = ended.block_on(start(home.path(), ANY)).unwrap();
    let phrase = Node::new_phrase().unwrap();
    ended
        .block_on(node.create_persona("main", "Alice", &phrase))
        .unwrap();
    drop(ended);
    let begun = Instant::now();
    runtime().block_on(async {
        let again = loop {
            match start(home.path(), ANY).await {
                Ok(again) => break again,
                Err(error) => assert!(begun.elapsed() < Duration::from_secs(10), "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert_eq!(again.personas().unwrap().len(), 1);
        // The handle of the ended node answers, and does not hang.
        let late = node.create_persona("two", "Two", &phrase).await;
        assert!(late.is_err(), "{late:?}");
        node.shutdown().await;
        again.shutdown().await;
    });
}

#[test]
fn a_node_listens_where_it_did_unless_that_is_taken() {
    let home = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let first = start(home.path(), ANY).await.unwrap();
        let was = listens(&first);
        first.shutdown().await;
        let second = start(home.path(), ANY).await.unwrap();
        assert_eq!(listens(&second), was);
        second.shutdown().await;
        let taken = TcpListener::bind(("127.0.0.1", port(&was))).unwrap();
        let third = start(home.path(), ANY).await.unwrap();
        let is = listens(&third);
        assert_ne!(is, was);
        third.shutdown().await;
        drop(taken);
        let fourth = start(home.path(), ANY).await.unwrap();
        assert_eq!(
            listens(&fourth),
            is,
            "the newest port is the one contacts know"
        );
        fourth.shutdown().await;
    });
}

fn listens(node: &Node) -> String {
    node.listen_addresses().remove(0)
}

fn port(address: &str) -> u16 {
    address.rsplit('/').next().unwrap().parse().unwrap()
}
