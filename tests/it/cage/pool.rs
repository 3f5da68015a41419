//! Workers that wait: a document does not wait for one to start.

use std::time::Duration;

use tokio::time::Instant;

use super::{RUNTIME, cage};

/// Documents, one after the other.
const DOCUMENTS: usize = 60;
/// What a document may wait for its worker and its answer where one is waiting.
const START_MAX: Duration = Duration::from_millis(5);

/// The whole way of a small document, of which starting a worker would be most. The quickest tenth counts, because other work on the machine slows everything down now and then.
#[test]
fn a_document_takes_a_worker_that_waits() {
    let cage = cage();
    let took = || {
        let start = Instant::now();
        RUNTIME.block_on(cage.parse(b"<p>a short page", Some("text/html"), &[])).unwrap();
        start.elapsed()
    };
    let mut times: Vec<Duration> = (0..DOCUMENTS).map(|_| took()).collect();
    times.sort();
    let at = |hundredth: usize| times[(DOCUMENTS - 1) * hundredth / 100];
    println!("from the pool: {:?} at the tenth, {:?} at the median, {:?} at the longest", at(10), at(50), at(100));
    assert!(at(10) <= START_MAX, "{times:?}");
}
