//! Graphs of large classes, for engines that may approximate.
//!
//! A graph is made of the members of one class alone, in the order of their ids, so it cannot tell of another class.
//! But whether it is there yet depends on time, so with graphs an answer is no longer the same bit for bit after a restart:
//! they are off unless asked for. Without one, and for whatever one does not cover, the exact scan serves.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, Ordering},
        mpsc::{Sender, channel},
    },
    thread::JoinHandle,
};

use crate::{
    error::EngineError,
    segment::{LiveSegment, Segment},
    vector::{
        Vector,
        flat::{self, Neighbour},
        hnsw::Graph,
    },
};

/// Members that are asked for beside those that are wanted, because some may be dead or filtered out.
const SPARE: usize = 64;
/// The least width of a search.
const WIDTH_MIN: usize = 400;

/// A graph over the rows of some segments of a class, once it is built.
pub(crate) struct ClassGraph {
    /// The segments whose rows are members; one that was rewritten since is another segment.
    covered: Vec<Weak<Segment>>,
    built: OnceLock<Built>,
}

struct Built {
    graph: Graph,
    /// For each member its segment among those covered, and its row.
    places: Vec<(u32, u32)>,
}

/// What graphs know of a query, and the segments that need not be scanned for it.
pub(crate) type Known = (Vec<Neighbour>, Vec<usize>);

/// A graph to be built of these segments' live rows.
pub(crate) struct Task {
    graph: Weak<ClassGraph>,
    segments: Vec<LiveSegment>,
}

impl ClassGraph {
    /// A graph over these segments, and the task of building it.
    pub(crate) fn ask(segments: Vec<LiveSegment>) -> (Arc<Self>, Task) {
        let covered = segments.iter().map(|live| Arc::downgrade(&live.segment)).collect();
        let graph = Arc::new(Self { covered, built: OnceLock::new() });
        let task = Task { graph: Arc::downgrade(&graph), segments };
        (graph, task)
    }

    /// Whether it can be used.
    pub(crate) fn is_built(&self) -> bool {
        self.built.get().is_some()
    }

    /// Whether the rows of a segment are members.
    pub(crate) fn covers(&self, segment: &Arc<Segment>) -> bool {
        self.covered.iter().any(|covered| std::ptr::eq(covered.as_ptr(), Arc::as_ptr(segment)))
    }

    /// About the `count` nearest among the live rows that pass, with their true cosines, and the segments they are of.
    /// Nothing if the graph is not built, or does not find enough: then those segments are to be scanned.
    fn search(
        &self,
        segments: &[&LiveSegment],
        places: &HashMap<*const Segment, usize>,
        query: &Vector,
        count: usize,
        passes: &impl Fn(usize, usize) -> bool,
    ) -> Result<Option<Known>, EngineError> {
        let Some(built) = self.built.get() else { return Ok(None) };
        let present: Vec<Option<usize>> =
            self.covered.iter().map(|segment| places.get(&segment.as_ptr()).copied()).collect();
        let answered: Vec<usize> = present.iter().flatten().copied().collect();
        let wanted = count.saturating_mul(2).saturating_add(SPARE);
        let Some(found) = built.graph.nearest(query, wanted, wanted.max(WIDTH_MIN)) else { return Ok(None) };
        let is_all = found.len() >= built.graph.len();
        let place = |member: usize| {
            let (segment, row) = built.places[member];
            let (segment, row) = (present[segment as usize]?, row as usize);
            (segments[segment].is_live(row) && passes(segment, row)).then_some((segment, row))
        };
        let rows: Vec<(usize, usize)> = found.into_iter().filter_map(place).collect();
        if rows.len() < count && !is_all {
            return Ok(None);
        }
        Ok(Some((flat::neighbours(segments, &rows, query)?, answered)))
    }
}

/// What the graphs of a scope know of a query, and the segments that need not be scanned for it.
pub(crate) fn search(
    graphs: &[&ClassGraph],
    segments: &[&LiveSegment],
    takes_part: impl Fn(usize) -> bool,
    query: &Vector,
    count: usize,
    passes: impl Fn(usize, usize) -> bool,
) -> Result<Known, EngineError> {
    let (mut neighbours, mut answered) = (Vec::new(), Vec::new());
    if graphs.is_empty() {
        return Ok((neighbours, answered));
    }
    let can_answer =
        |index: usize| takes_part(index) && segments[index].segment.vectors.dimensions == query.dimensions();
    let places: HashMap<*const Segment, usize> = (0..segments.len())
        .filter(|index| can_answer(*index))
        .map(|index| (Arc::as_ptr(&segments[index].segment), index))
        .collect();
    for graph in graphs {
        if let Some((found, of)) = graph.search(segments, &places, query, count, &passes)? {
            neighbours.extend(found);
            answered.extend(of);
        }
    }
    answered.sort_unstable();
    Ok((neighbours, answered))
}

impl Task {
    /// Builds it, unless its class is gone or it is told to stop.
    fn run(self, stop: &AtomicBool) {
        let Some(graph) = self.graph.upgrade() else { return };
        let mut members = Vec::new();
        for (segment, live) in (0_u32..).zip(&self.segments) {
            let vectors = &live.segment.vectors;
            for row in vectors.rows.iter().copied() {
                // One that cannot be read is left out: its tenant will be read anew as soon as a search meets it.
                if live.is_live(row as usize)
                    && let Ok(Some(vector)) = live.segment.vector(row as usize)
                {
                    members.push((live.segment.ids[row as usize], (segment, row), vector));
                }
            }
        }
        members.sort_unstable_by_key(|(id, ..)| *id);
        let places = members.iter().map(|(_, place, _)| *place).collect();
        let vectors: Vec<Vector> = members.into_iter().map(|(.., vector)| vector).collect();
        let count = vectors.len();
        match Graph::build(vectors, stop) {
            Some(built) => {
                let _ = graph.built.set(Built { graph: built, places });
                tracing::debug!(members = count, "a graph was built");
            }
            None if stop.load(Ordering::Relaxed) => {}
            None => tracing::warn!(members = count, "a graph could not be built; its class is scanned"),
        }
    }
}

impl fmt::Debug for ClassGraph {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ClassGraph({} segments, built: {})", self.covered.len(), self.is_built())
    }
}

/// The thread that builds graphs, one after the other.
pub(crate) struct Builder {
    orders: Option<Sender<Order>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

enum Order {
    Build(Task),
    /// Answered when all orders before it are done.
    Tell(Sender<()>),
}

impl Builder {
    /// Nothing if the machine gives no thread: then graphs are never built, and scans serve.
    pub(crate) fn start() -> Option<Self> {
        let (orders, received) = channel();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let work = move || {
            for order in received {
                match order {
                    Order::Build(task) => task.run(&stopped),
                    Order::Tell(done) => drop(done.send(())),
                }
            }
        };
        let thread = std::thread::Builder::new().name("graphs".to_owned()).spawn(work).ok()?;
        Some(Self { orders: Some(orders), stop, thread: Some(thread) })
    }

    pub(crate) fn build(&self, tasks: Vec<Task>) {
        for task in tasks {
            self.order(Order::Build(task));
        }
    }

    /// Waits until everything ordered so far is built.
    pub(crate) fn settle(&self) {
        let (done, wait) = channel();
        self.order(Order::Tell(done));
        // An error means that the thread is gone, and nothing more will come.
        let _ = wait.recv();
    }

    fn order(&self, order: Order) {
        if let Some(orders) = &self.orders {
            // Without the thread, scans serve.
            let _ = orders.send(order);
        }
    }
}

impl Drop for Builder {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
