//! Asking at a rate, whether answered or not, and asking as fast as answers come.

use std::{
    net::SocketAddr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use super::Asker;
use crate::{client::Client, report::now};

/// What became of the requests.
#[derive(Default)]
pub(super) struct Load {
    /// How long answers took.
    pub(super) answered: Vec<Duration>,
    /// How long refusals (429 and 503) took.
    pub(super) refused: Vec<Duration>,
    /// Anything else, and connections that broke.
    pub(super) other: usize,
    pub(super) took: Duration,
}

impl Load {
    fn take(&mut self, other: Self) {
        self.answered.extend(other.answered);
        self.refused.extend(other.refused);
        self.other += other.other;
    }
}

/// So many clients, each asking again when it has its answer.
pub(super) fn closed(address: SocketAddr, asker: &Asker, clients: usize, seconds: Duration) -> Load {
    run(address, asker, clients, seconds, |_, _| Duration::ZERO)
}

/// So many requests a second, each at its own time; one whose connection still waits is sent late, and timed from then.
pub(super) fn open_loop(
    address: SocketAddr,
    asker: &Asker,
    per_second: f64,
    connections: usize,
    seconds: Duration,
) -> Load {
    let gap = 1.0 / per_second;
    #[expect(clippy::cast_precision_loss, reason = "counts of requests")]
    let due =
        move |connection: usize, turn: usize| Duration::from_secs_f64((turn * connections + connection) as f64 * gap);
    run(address, asker, connections, seconds, due)
}

fn run(
    address: SocketAddr,
    asker: &Asker,
    connections: usize,
    seconds: Duration,
    due: impl Fn(usize, usize) -> Duration + Sync,
) -> Load {
    let all = Mutex::new(Load::default());
    let (next, due, all_ref) = (AtomicUsize::new(0), &due, &all);
    let next = &next;
    let clients: Vec<Client> = (0..connections).map(|_| Client::new(address, "")).collect();
    let start = now();
    thread::scope(|scope| {
        for (connection, mut client) in clients.into_iter().enumerate() {
            scope.spawn(move || {
                let mut own = Load::default();
                for turn in 0.. {
                    let at = due(connection, turn);
                    if start.elapsed().max(at) >= seconds {
                        break;
                    }
                    // Not a wait for an event: the time itself is what is waited for.
                    thread::park_timeout(at.saturating_sub(start.elapsed()));
                    let request = &asker.requests[next.fetch_add(1, Ordering::Relaxed) % asker.requests.len()];
                    let sent = now();
                    match client.try_exchange(request) {
                        Ok((200, _)) => own.answered.push(sent.elapsed()),
                        Ok((429 | 503, _)) => own.refused.push(sent.elapsed()),
                        Ok(_) => own.other += 1,
                        Err(_) => {
                            own.other += 1;
                            client = Client::new(address, "");
                        }
                    }
                }
                all_ref.lock().unwrap_or_else(PoisonError::into_inner).take(own);
            });
        }
    });
    let took = start.elapsed();
    let all = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    Load { took, ..all }
}
