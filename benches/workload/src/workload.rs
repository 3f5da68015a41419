//! The workload as a whole: tenants, chunks and queries.

use crate::{
    random::{Random, zipf},
    tenant::{Tenant, User},
    topics::Topics,
};

/// What to make.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Chunks of all tenants together.
    pub chunks: usize,
    /// Of every vector; a multiple of four mixes best.
    pub dimensions: usize,
    /// How many tenants share the chunks.
    pub tenants: usize,
    /// Queries of each bucket.
    pub queries_per_bucket: usize,
    /// From which everything follows.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { chunks: 200_000, dimensions: 384, tenants: 20, queries_per_bucket: 250, seed: 7 }
    }
}

/// Users by the share of their tenant that they may read.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    /// The share lies above this.
    pub above: f64,
    /// And not above this.
    pub up_to: f64,
    /// What a table calls it.
    pub label: &'static str,
}

/// The four buckets of every report.
pub const BUCKETS: [Bucket; 4] = [
    Bucket { above: 0.0, up_to: 0.005, label: "≤ 0.5 %" },
    Bucket { above: 0.005, up_to: 0.05, label: "0.5–5 %" },
    Bucket { above: 0.05, up_to: 0.2, label: "5–20 %" },
    Bucket { above: 0.2, up_to: 1.0, label: "> 20 %" },
];

/// The share of the queries that the largest tenant asks; the rest is by size.
const FIRST_TENANT_QUERIES: f64 = 0.6;
/// The smallest tenant.
const TENANT_MIN: usize = 200;
/// Who can read fewer than this asks nothing: every answer can be full.
const READABLE_MIN: usize = 10;

/// A passage.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// Index of its tenant.
    pub tenant: usize,
    /// Index of its class in the tenant.
    pub class: usize,
    /// What it is about.
    pub topic: usize,
    /// Its words.
    pub text: String,
}

/// One question.
#[derive(Clone, Debug)]
pub struct Query {
    /// Index of the tenant.
    pub tenant: usize,
    /// Index of the user in the tenant.
    pub user: usize,
    /// Index in [`BUCKETS`].
    pub bucket: usize,
    /// Whether it is about a chunk that the user may read; otherwise about anything, often what they may not.
    pub is_near: bool,
    /// Its words.
    pub text: String,
    /// Its vector, of length 1.
    pub vector: Vec<f32>,
}

/// Everything that a benchmark needs.
#[derive(Debug)]
pub struct Workload {
    /// What was asked for.
    pub options: Options,
    /// The tenants, largest first.
    pub tenants: Vec<Tenant>,
    /// The chunks; those of one tenant are neighbours.
    pub chunks: Vec<Chunk>,
    /// The queries, in random order.
    pub queries: Vec<Query>,
    vectors: Vec<f32>,
    topics: Topics,
}

impl Workload {
    /// Makes it; the same options give the same on every machine, up to the last bit of a logarithm.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let mut random = Random::new(options.seed);
        let topics = Topics::new(options.dimensions, &mut random);
        let mut workload = Self {
            options,
            tenants: Vec::new(),
            chunks: Vec::with_capacity(options.chunks),
            queries: Vec::new(),
            vectors: Vec::with_capacity(options.chunks * options.dimensions),
            topics,
        };
        for size in sizes(&options) {
            workload.add_tenant(size, &mut random);
        }
        for (bucket, bounds) in BUCKETS.iter().enumerate() {
            let queries = workload.draw(options.queries_per_bucket, *bounds, &mut random);
            workload.queries.extend(queries.into_iter().map(|query| Query { bucket, ..query }));
        }
        random.shuffle(&mut workload.queries);
        workload
    }

    fn add_tenant(&mut self, size: usize, random: &mut Random) {
        let number = self.tenants.len();
        let rows = self.chunks.len()..self.chunks.len() + size;
        let (tenant, class_of) = Tenant::new(format!("t{number:02}"), rows, random);
        for class in class_of {
            let topic = tenant.topic_of(class, random);
            self.vectors.extend(self.topics.vector(topic, random));
            self.chunks.push(Chunk { tenant: number, class, topic, text: self.topics.text(topic, random) });
        }
        self.tenants.push(tenant);
    }

    /// The vector of a chunk, of length 1.
    #[must_use]
    pub fn vector(&self, row: usize) -> &[f32] {
        &self.vectors[row * self.options.dimensions..(row + 1) * self.options.dimensions]
    }

    /// All vectors, row after row.
    #[must_use]
    pub fn vectors(&self) -> &[f32] {
        &self.vectors
    }

    /// Who asks.
    #[must_use]
    pub fn user(&self, query: &Query) -> &User {
        &self.tenants[query.tenant].users[query.user]
    }

    /// Who may read a chunk.
    #[must_use]
    pub fn readers(&self, row: usize) -> &[String] {
        let chunk = &self.chunks[row];
        &self.tenants[chunk.tenant].classes[chunk.class].principals
    }

    /// Whether this query's user may read this chunk.
    #[must_use]
    pub fn may_read(&self, query: &Query, row: usize) -> bool {
        self.chunks.get(row).is_some_and(|chunk| {
            chunk.tenant == query.tenant && self.user(query).classes.binary_search(&chunk.class).is_ok()
        })
    }

    /// The chunks that this query's user may read.
    pub fn readable<'w>(&'w self, query: &'w Query) -> impl Iterator<Item = usize> + 'w {
        let tenant = &self.tenants[query.tenant];
        let mut is_open = vec![false; tenant.classes.len()];
        self.user(query).classes.iter().for_each(|class| is_open[*class] = true);
        tenant.rows.clone().filter(move |row| is_open[self.chunks[*row].class])
    }

    /// Further queries of users whose share lies in a bucket; none where there is no such user. Their `bucket` is the first that holds the share.
    #[must_use]
    pub fn draw(&self, count: usize, bounds: Bucket, random: &mut Random) -> Vec<Query> {
        let of_tenant = |tenant: &Tenant| -> Vec<usize> {
            let fits =
                |user: &User| user.share > bounds.above && user.share <= bounds.up_to && user.readable >= READABLE_MIN;
            (0..tenant.users.len()).filter(|user| fits(&tenant.users[*user])).collect()
        };
        let users: Vec<Vec<usize>> = self.tenants.iter().map(of_tenant).collect();
        if users.iter().all(Vec::is_empty) {
            return Vec::new();
        }
        let mut queries = Vec::with_capacity(count);
        while queries.len() < count {
            let tenant = if random.unit() < FIRST_TENANT_QUERIES {
                0
            } else {
                self.chunks[random.below(self.chunks.len())].tenant
            };
            let Some(last) = users[tenant].len().checked_sub(1) else { continue };
            let user = users[tenant][random.below(last + 1)];
            queries.push(self.query(tenant, user, queries.len() % 2 == 0, random));
        }
        queries
    }

    fn query(&self, tenant: usize, user: usize, is_near: bool, random: &mut Random) -> Query {
        let share = self.tenants[tenant].users[user].share;
        let bucket = BUCKETS.iter().position(|bucket| share <= bucket.up_to).unwrap_or(BUCKETS.len() - 1);
        let mut query = Query { tenant, user, bucket, is_near, text: String::new(), vector: Vec::new() };
        let topic = if is_near {
            let readable: Vec<usize> = self.readable(&query).collect();
            self.chunks[readable[random.below(readable.len())]].topic
        } else {
            self.tenants[tenant].any_topic(random)
        };
        query.vector = self.topics.vector(topic, random);
        query.text = self.topics.question(topic, random);
        query
    }
}

/// Zipfian sizes whose exponent gives the largest tenant 40 %.
#[expect(clippy::cast_precision_loss, reason = "counts of chunks")]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a count")]
fn sizes(options: &Options) -> Vec<usize> {
    if options.tenants == 1 {
        return vec![options.chunks];
    }
    let first_share = |exponent: f64| 1.0 / zipf(options.tenants, exponent).last().copied().unwrap_or(1.0);
    let (mut low, mut high) = (0.0, 3.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if first_share(middle) < 0.4 { low = middle } else { high = middle }
    }
    let all = 1.0 / first_share(low);
    let size = |rank: usize| ((rank as f64).powf(-low) / all * options.chunks as f64) as usize;
    let mut sizes: Vec<usize> = (1..=options.tenants).map(|rank| size(rank).max(TENANT_MIN)).collect();
    let others: usize = sizes[1..].iter().sum();
    sizes[0] = options.chunks.saturating_sub(others).max(TENANT_MIN);
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Workload {
        Workload::new(Options { chunks: 12_000, dimensions: 64, queries_per_bucket: 20, ..Options::default() })
    }

    #[test]
    fn the_same_seed_gives_the_same_workload() {
        let (first, second) = (small(), small());
        assert_eq!(first.vectors, second.vectors);
        assert!(first.chunks.iter().zip(&second.chunks).all(|(left, right)| left.text == right.text));
        assert!(first.queries.iter().zip(&second.queries).all(|(left, right)| left.vector == right.vector));
        let other = Workload::new(Options { seed: 8, ..first.options });
        assert_ne!(first.vectors, other.vectors);
    }

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    fn the_shape_is_as_described() {
        let workload = small();
        assert_eq!((workload.tenants.len(), workload.chunks.len()), (20, 12_000));
        let share = workload.tenants[0].rows.len() as f64 / 12_000.0;
        assert!((0.3..0.45).contains(&share), "{share}");
        assert!(workload.tenants.iter().all(|tenant| tenant.users.len() == 200 && tenant.classes.len() >= 40));
        let shares: Vec<f64> = workload.tenants[0].users.iter().map(|user| user.share).collect();
        assert!(shares.iter().any(|share| *share < 0.005) && shares.iter().any(|share| *share > 0.2));
        for (index, bucket) in BUCKETS.iter().enumerate() {
            let of_bucket: Vec<&Query> = workload.queries.iter().filter(|query| query.bucket == index).collect();
            assert_eq!(of_bucket.len(), 20, "{}", bucket.label);
            for query in of_bucket {
                let user = workload.user(query);
                assert!(user.share > bucket.above && user.share <= bucket.up_to && user.readable >= 10);
                assert_eq!(workload.readable(query).count(), user.readable);
            }
        }
    }

    #[test]
    fn who_may_read_follows_from_the_principals() {
        let workload = small();
        let query = &workload.queries[0];
        let principals = &workload.user(query).principals;
        for row in (0..workload.chunks.len()).step_by(7) {
            let overlaps = workload.readers(row).iter().any(|reader| principals.contains(reader));
            let expected = overlaps && workload.chunks[row].tenant == query.tenant;
            assert_eq!(workload.may_read(query, row), expected, "{row}");
        }
    }

    #[test]
    fn one_tenant_has_everything() {
        let workload = Workload::new(Options {
            chunks: 500,
            dimensions: 64,
            tenants: 1,
            queries_per_bucket: 1,
            ..Options::default()
        });
        assert_eq!(workload.tenants[0].rows, 0..500);
    }
}
