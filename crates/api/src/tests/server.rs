// SPDX-License-Identifier: MIT OR Apache-2.0
//! Listeners, files and limits: what another user of the machine, or a page that opens connections, can reach.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

use super::host::TestHost;
use super::world::{World, config, read_reply};
use crate::client::Client;
use crate::place;
use crate::server::{CONNECTIONS_MAX, Port, Server, ServerError};

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

fn home() -> TempDir {
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("home")).unwrap();
    dir
}

#[tokio::test]
async fn the_token_is_its_owners_alone_whatever_the_umask() {
    let dir = home();
    let mut config = config(dir.path(), 1);
    config.runtime_dir = Some(dir.path().join("runtime"));
    fs::create_dir(dir.path().join("runtime")).unwrap();
    let before = rustix::process::umask(rustix::fs::Mode::empty());
    let server = Server::bind(&config).await;
    rustix::process::umask(before);
    let server = server.unwrap();
    let home = dir.path().join("home");
    assert_eq!(mode(&place::run_dir(&home)), 0o700);
    assert_eq!(mode(&place::token_file(&home)), 0o600);
    assert_eq!(mode(&place::socket_file(&home)), 0o600);
    assert_eq!(mode(server.socket()), 0o600);
    assert_eq!(mode(server.socket().parent().unwrap()), 0o700);
    assert!(
        server
            .socket()
            .starts_with(dir.path().join("runtime/comptoir"))
    );
}

#[tokio::test]
async fn a_folder_left_open_is_closed_and_one_of_another_kind_is_refused() {
    let dir = home();
    let run = dir.path().join("home/run");
    fs::create_dir(&run).unwrap();
    fs::set_permissions(&run, fs::Permissions::from_mode(0o777)).unwrap();
    drop(Server::bind(&config(dir.path(), 1)).await.unwrap());
    assert_eq!(mode(&run), 0o700);
    fs::remove_dir(&run).unwrap();
    fs::create_dir(dir.path().join("elsewhere")).unwrap();
    symlink(dir.path().join("elsewhere"), &run).unwrap();
    let error = Server::bind(&config(dir.path(), 1)).await.unwrap_err();
    assert!(matches!(error, ServerError::RunDir { .. }), "{error}");
}

#[tokio::test]
async fn the_token_is_new_at_each_start_and_gone_at_the_end() {
    let mut world = World::start().await;
    let (home, first) = (world.home(), world.token.clone());
    assert_eq!(first, format!("cptr_{}", "01".repeat(32)));
    let socket = world.socket.clone();
    world.close().await;
    for path in [
        place::token_file(&home),
        place::socket_file(&home),
        place::port_file(&home),
        socket,
    ] {
        assert!(!path.exists(), "{}", path.display());
    }
    world.open(2).await;
    assert_eq!(
        world
            .call_as(&first, "GET", "/v1/node", "", "")
            .await
            .status,
        401
    );
    assert_eq!(world.call("GET", "/v1/node", "", "").await.status, 200);
}

#[tokio::test]
async fn a_squatted_port_gains_nothing() {
    let thief = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = thief.local_addr().unwrap().port();
    let dir = home();
    let mut config = config(dir.path(), 1);
    config.port = Port::Fixed(port);
    let server = Server::bind(&config).await.unwrap();
    assert_eq!(
        server.tcp_error().unwrap().kind(),
        std::io::ErrorKind::AddrInUse
    );
    assert_eq!(server.port(), None);
    assert_eq!(place::read_port(&config.home), None);
    let host = std::sync::Arc::new(TestHost::new());
    tokio::spawn(server.run(host, std::future::pending()));
    let client = Client::open(&config.home).unwrap();
    assert_eq!(client.node().await.unwrap().pid, 1);
    let caught = tokio::time::timeout(Duration::from_millis(300), thief.accept()).await;
    assert!(caught.is_err(), "the client came to the port");
}

#[tokio::test]
async fn a_long_path_falls_back_to_a_short_private_folder() {
    let dir = home();
    let deep = dir.path().join("d".repeat(90));
    fs::create_dir_all(deep.join("home")).unwrap();
    let mut config = config(&deep, 1);
    config.temp_dir = dir.path().to_owned();
    for runtime in [None, Some(deep.join("runtime"))] {
        if let Some(runtime) = &runtime {
            fs::create_dir(runtime).unwrap();
        }
        config.runtime_dir = runtime;
        let server = Server::bind(&config).await.unwrap();
        let folder = server.socket().parent().unwrap().to_owned();
        assert_eq!(folder, dir.path().join("cptr-0101010101010101"));
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(
            place::read_socket(&config.home).as_deref(),
            Some(server.socket())
        );
        assert_eq!(
            Client::open(&config.home).unwrap().socket(),
            server.socket()
        );
        drop(server);
        assert!(!folder.exists());
    }
}

#[tokio::test]
async fn a_short_folder_is_used_again_after_a_kill_and_never_if_it_is_not_ours() {
    let dir = home();
    let deep = dir.path().join("d".repeat(90));
    fs::create_dir_all(deep.join("home")).unwrap();
    let mut config = config(&deep, 1);
    config.temp_dir = dir.path().to_owned();
    let server = Server::bind(&config).await.unwrap();
    let first = server.socket().to_owned();
    // As after `kill -9`: nothing is tidied up, and nobody answers any more.
    let record = fs::read(place::socket_file(&config.home)).unwrap();
    drop(server);
    fs::create_dir(first.parent().unwrap()).unwrap();
    fs::set_permissions(first.parent().unwrap(), fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(&first, "").unwrap();
    fs::write(place::socket_file(&config.home), &record).unwrap();
    config.random = [2; 8];
    let again = Server::bind(&config).await.unwrap();
    assert_eq!(again.socket(), first);
    drop(again);
    // Somebody laid a link where the folder was.
    fs::create_dir(dir.path().join("trap")).unwrap();
    symlink(dir.path().join("trap"), first.parent().unwrap()).unwrap();
    fs::write(place::socket_file(&config.home), &record).unwrap();
    let other = Server::bind(&config).await.unwrap();
    assert_ne!(other.socket(), first);
    assert!(
        fs::read_dir(dir.path().join("trap"))
            .unwrap()
            .next()
            .is_none()
    );
}

#[tokio::test]
async fn a_socket_somebody_answers_on_is_left_alone() {
    let world = World::start().await;
    let error = Server::bind(&config(world.dir.path(), 9))
        .await
        .unwrap_err();
    assert!(matches!(error, ServerError::InUse(_)), "{error}");
    assert_eq!(
        world.call("GET", "/v1/node", "", "").await.status,
        200,
        "the first one's files are whole"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_capped_and_the_cli_keeps_its_own() {
    let world = World::start().await;
    let mut held = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        held.push(TcpStream::connect(("127.0.0.1", world.port)).await.unwrap());
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut one_more = TcpStream::connect(("127.0.0.1", world.port)).await.unwrap();
    assert_eq!(read_reply(&mut one_more).await.status, 503);
    assert_eq!(world.call("GET", "/v1/node", "", "").await.status, 200);
    drop(held);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let health = format!(
        "GET /healthz HTTP/1.1\r\nHost: localhost:{}\r\n\r\n",
        world.port
    );
    assert_eq!(world.tcp(&health).await.status, 200);
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let world = World::start().await;
    let mut silent = TcpStream::connect(("127.0.0.1", world.port)).await.unwrap();
    let mut bytes = Vec::new();
    let closed =
        tokio::time::timeout(Duration::from_secs(15), silent.read_to_end(&mut bytes)).await;
    assert!(closed.is_ok(), "still open after 15 s");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_ends_long_polls_and_streams() {
    let mut world = World::start().await;
    let client = Client::open(&world.home()).unwrap();
    let query = crate::dto::EventQuery {
        wait: Some(60),
        ..Default::default()
    };
    let poll = tokio::spawn(async move { client.events(&query).await });
    let other = Client::open(&world.home()).unwrap();
    let stream =
        tokio::spawn(async move { other.watch(crate::dto::EventQuery::default()).next().await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    let began = std::time::Instant::now();
    world.close().await;
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
    assert!(poll.await.unwrap().unwrap().data.is_empty());
    stream.abort();
}
