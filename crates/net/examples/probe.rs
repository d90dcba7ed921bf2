// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the transport does between two processes of this machine.
//!
//! Usage: cargo run --release -p comptoir-net --example probe [tcp|quic]
#![allow(missing_docs)]

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use comptoir_net::limits_probe::{Load, ProbeServer, ProbeTarget, ProbeTransport};
use comptoir_net::{Net, NetConfig, NetEvent, Seed};

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already if this fails.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    match words.next().as_deref() {
        Some("serve") => serve(words.next().as_deref()).await,
        name => measure(name.unwrap_or("tcp")).await,
    }
}

async fn serve(name: Option<&str>) -> Result<(), Box<dyn Error>> {
    let transport = if name == Some("quic") {
        ProbeTransport::Quic
    } else {
        ProbeTransport::Tcp
    };
    let server = ProbeServer::start(transport).await?;
    println!("{}", server.target());
    std::future::pending().await
}

async fn measure(name: &str) -> Result<(), Box<dyn Error>> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["serve", name])
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.stdout.take().ok_or("no output")?;
    let _server = Server(child);
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    let target: ProbeTarget = line.parse()?;

    println!(
        "dial_p50_ms {:.2}",
        median(target.dial(30).await?).as_secs_f64() * 1e3
    );
    println!(
        "rtt_p50_us {:.1}",
        median(target.round_trips(5000).await?).as_secs_f64() * 1e6
    );
    println!("bulk_mb_per_s {:.0}", target.bulk(512 << 20).await? / 1e6);
    println!(
        "rate_64_per_write {:.0}",
        target
            .acknowledged_rate(Load {
                per_write: 64,
                ..Load::one_per_write(400_000)
            })
            .await?
    );
    println!(
        "rate_1_per_write {:.0}",
        target
            .acknowledged_rate(Load::one_per_write(60_000))
            .await?
    );
    println!("node_frames_per_s {:.0}", node_frames(name, 200_000).await?);
    Ok(())
}

/// Frames of 200 bytes between two endpoints of this process, through queue, session and events, each confirmed in
/// batches as a node does after its commit.
async fn node_frames(name: &str, count: u32) -> Result<f64, Box<dyn Error>> {
    let (alice, mut alice_events) = Net::start(NetConfig::loopback(Seed::new([1; 32]))).await?;
    let (bob, mut bob_events) = Net::start(NetConfig::loopback(Seed::new([2; 32]))).await?;
    let wanted = if name == "quic" { "/quic-v1" } else { "/tcp/" };
    let at: Vec<String> = bob
        .listen_addresses()
        .into_iter()
        .filter(|address| address.contains(wanted))
        .collect();
    alice.dial(bob.local_key(), at)?;
    while !alice.is_connected(&bob.local_key()) {
        alice_events.recv().await;
    }
    let (answering, from) = (bob.clone(), alice.local_key());
    tokio::spawn(async move {
        let mut seen = 0u32;
        while let Some(event) = bob_events.recv().await {
            if let NetEvent::Frame { .. } = event {
                seen += 1;
                // As after one commit: what has gathered is confirmed together.
                if bob_events.is_empty() || seen.is_multiple_of(64) {
                    let _ = answering.send(&from, &seen.to_be_bytes());
                }
            }
        }
    });
    let start = Instant::now();
    let (mut sent, mut confirmed, frame) = (0u32, 0u32, [5; 200]);
    while confirmed < count {
        while sent < count && sent - confirmed < 1024 {
            alice.send(&bob.local_key(), &frame)?;
            sent += 1;
        }
        if let Some(NetEvent::Frame { bytes, .. }) = alice_events.recv().await {
            confirmed = u32::from_be_bytes(bytes.as_slice().try_into()?);
        }
    }
    Ok(f64::from(count) / start.elapsed().as_secs_f64())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
