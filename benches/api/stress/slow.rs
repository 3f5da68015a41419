//! Two thousand clients that send half a request and wait, from eight addresses of the loopback network, beside one that asks as it should.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    runtime::Runtime,
    sync::mpsc,
};

use super::{Asker, load::open_loop};
use crate::report::{ms, now, percentile, tell};

const CLIENTS: usize = 2_000;
const ADDRESSES: usize = 8;
/// Longer than any of the server's own limits.
const PATIENCE: Duration = Duration::from_secs(120);
const ASKED_PER_SECOND: f64 = 50.0;

pub(super) fn clients(address: SocketAddr, asker: &Asker, seconds: Duration) -> String {
    tell("an asker without slow clients");
    let mut before = open_loop(address, asker, ASKED_PER_SECOND, 8, seconds);
    let runtime = Runtime::new().expect("a runtime");
    tell("two thousand slow clients");
    let start = now();
    let (gone, mut ends) = mpsc::unbounded_channel();
    for client in 0..CLIENTS {
        let gone = gone.clone();
        runtime.spawn(async move {
            let connected = stall(address, client).await;
            // Nobody listens any more only when the benchmark has failed.
            let _ = gone.send((connected.is_ok(), start.elapsed()));
        });
    }
    drop(gone);
    let mut during = open_loop(address, asker, ASKED_PER_SECOND, 8, seconds);
    let (mut closed, mut refused, mut last) = (0, 0, Duration::ZERO);
    runtime.block_on(async {
        while let Some((was_connected, at)) = ends.recv().await {
            last = last.max(at);
            if was_connected { closed += 1 } else { refused += 1 }
        }
    });
    format!(
        "### {CLIENTS} clients that send half a request\n\n| | |\n| --- | --- |\n| closed by the server, not let in | {closed}, {refused} |\n| the last was gone after | {:.1} s |\n| an asker before: p50, p99 | {:.1} ms, {:.1} ms |\n| an asker beside them: p50, p99, refused | {:.1} ms, {:.1} ms, {} |\n",
        last.as_secs_f64(),
        ms(percentile(&mut before.answered, 0.5)),
        ms(percentile(&mut before.answered, 0.99)),
        ms(percentile(&mut during.answered, 0.5)),
        ms(percentile(&mut during.answered, 0.99)),
        during.refused.len() + during.other
    )
}

/// Sends half a head and waits for the server to hang up; fails where the connection was never made or reset at once.
async fn stall(address: SocketAddr, client: usize) -> std::io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    let last = u8::try_from(client % ADDRESSES + 2).unwrap_or(2);
    socket.bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)), 0))?;
    let mut stream: TcpStream = socket.connect(address).await?;
    stream.write_all(b"POST /v1/search HTTP/1.1\r\nHost: a\r\nX-Half: ").await?;
    let mut buffer = [0; 512];
    let waiting = async {
        // A last word of the server's, such as 408, is read as well.
        while stream.read(&mut buffer).await? > 0 {}
        Ok(())
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or(Ok(()))
}
