//! A navigable graph over vectors, for classes so large that a scan is slow. The only place that knows `hnsw_rs`.
//!
//! The crate holds the vectors that it was given; ours are held already, so its points are numbers of members.
//! Its dumps are never written or read: it ends the process on one that it cannot read.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use hnsw_rs::{anndists::dist::distances::Distance, hnsw::Hnsw};

use crate::vector::{Vector, kernel::Kernel};

/// Neighbours that a point keeps in each layer.
const NEIGHBOURS: usize = 24;
/// Layers at most; with 24 neighbours, six would hold 190 million points.
const LAYERS: usize = 16;
/// How widely neighbours are looked for when a point is added.
const BUILD_WIDTH: usize = 200;
/// A point is told from a query by its length.
const DIMENSIONS_MIN: usize = 2;
/// Numbers of members are kept in f32.
const MEMBERS_MAX: usize = 1 << 24;

/// A graph over members in the order in which they were given.
pub(crate) struct Graph {
    hnsw: Hnsw<'static, f32, Angle>,
    members: usize,
}

impl Graph {
    /// One after the other, which gives the same graph each time. Nothing if it was told to stop, or cannot be built.
    #[expect(clippy::cast_precision_loss, reason = "members are fewer than what f32 counts exactly")]
    pub(crate) fn build(vectors: Vec<Vector>, stop: &AtomicBool) -> Option<Self> {
        let members = vectors.len();
        if members > MEMBERS_MAX || vectors.first()?.dimensions() < DIMENSIONS_MIN {
            return None;
        }
        let angle = Angle { vectors: vectors.into(), kernel: Kernel::detect() };
        let hnsw = Hnsw::new(NEIGHBOURS, members, LAYERS, BUILD_WIDTH, angle);
        let insert = |member| hnsw.insert((&[member as f32], member));
        for member in 0..members {
            if stop.load(Ordering::Relaxed) || catch_unwind(AssertUnwindSafe(|| insert(member))).is_err() {
                return None;
            }
        }
        Some(Self { hnsw, members })
    }

    /// How many members there are.
    pub(crate) const fn len(&self) -> usize {
        self.members
    }

    /// About the `count` members nearest to a query, found on a way of this width. Nothing if the crate panics.
    pub(crate) fn nearest(&self, query: &Vector, count: usize, width: usize) -> Option<Vec<usize>> {
        let search = || self.hnsw.search(query.values(), count, width);
        let found = catch_unwind(AssertUnwindSafe(search)).ok()?;
        Some(found.into_iter().map(|neighbour| neighbour.d_id).collect())
    }
}

/// One minus the cosine. A point is the number of a member, a query its values.
struct Angle {
    vectors: Arc<[Vector]>,
    kernel: Kernel,
}

impl Angle {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a member's number, kept exactly")]
    fn values<'a>(&'a self, point: &'a [f32]) -> &'a [f32] {
        match point {
            [member] => self.vectors[*member as usize].values(),
            query => query,
        }
    }
}

impl Distance<f32> for Angle {
    fn eval(&self, left: &[f32], right: &[f32]) -> f32 {
        // Rounding may make it slightly negative, which the crate refuses.
        (1.0 - self.kernel.dot_one(self.values(left), self.values(right))).max(0.0)
    }
}
