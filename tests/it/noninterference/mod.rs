//! Non-interference: what a caller may not read changes no byte of what they get.
//!
//! Two servers run side by side. World A holds only what the asker may read; world B holds that and everything that is hidden from them: hundreds of classes, copies of the asker's own texts under other ACLs, other tenants, deleted and refused documents, groups, keys, warm caches, and changes between the requests.
//! One transcript is sent to both and every answer compared. Where two differ, the hidden items are reduced to the fewest that still make a difference.

mod beside;
mod compare;
mod plan;
mod transcript;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;

pub(crate) use self::compare::difference;
use self::{
    plan::{Asker, Hidden, Plan, Planned},
    transcript::{Ask, Change, Step, Transcript},
    world::World,
};
use crate::harness::{Answer, Caller, document_path, is_deep};

/// Seeds of a regular run, a multiple of the kinds of askers.
const SEEDS: u64 = 14;
/// Pairs of answers a seed.
const PAIRS: usize = 860;
/// Documents the asker reads, and hidden items.
const SIZES: (usize, usize) = (40, 400);

/// What was compared, so that a run that compares nothing is seen.
#[derive(Debug, Default)]
struct Tally {
    pairs: AtomicU64,
    searches: AtomicU64,
    searches_with_hits: AtomicU64,
    reads_found: AtomicU64,
    reads_missing: AtomicU64,
    later_pages: AtomicU64,
    writes: AtomicU64,
    somebody_sees_more: AtomicU64,
    somebody_asked: AtomicU64,
}

/// Where a transcript ends.
#[derive(Clone, Copy, Debug)]
struct Bound {
    pairs: usize,
    steps: usize,
}

impl Bound {
    const fn pairs(pairs: usize) -> Self {
        Self { pairs, steps: usize::MAX }
    }
}

/// A pair of answers that differ.
#[derive(Debug)]
struct Leak {
    /// How many steps lead there.
    steps: usize,
    request: String,
    difference: String,
}

impl std::fmt::Display for Leak {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "step {}, {}: {}", self.steps, self.request, self.difference)
    }
}

#[test]
fn what_is_hidden_changes_no_byte() {
    let (seeds, pairs) = if is_deep() { (SEEDS * 7, PAIRS * 3) } else { (SEEDS, PAIRS) };
    let (tally, next) = (Tally::default(), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= seeds {
                        return;
                    }
                    let plan = plan::plan(seed, SIZES.0, SIZES.1);
                    if let Some(leak) = compare_worlds(seed, &plan, &plan.hidden, Bound::pairs(pairs), &tally) {
                        let smallest = smallest(seed, &plan, &leak);
                        next.store(seeds, Ordering::SeqCst);
                        panic!("seed {seed}, {:?}: {leak}\nhidden: {smallest:?}", plan.asker);
                    }
                }
            });
        }
    });
    assert_compared_something(&tally);
}

/// A transcript without hits, or worlds in which nothing is hidden, would find no leak.
fn assert_compared_something(tally: &Tally) {
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    eprintln!("{tally:?}");
    assert!(count(&tally.pairs) >= 10_000, "{tally:?}");
    assert!(count(&tally.searches) * 3 > count(&tally.pairs), "{tally:?}");
    assert!(count(&tally.searches_with_hits) * 2 > count(&tally.searches), "{tally:?}");
    assert!(count(&tally.somebody_sees_more) * 3 > count(&tally.somebody_asked) * 2, "{tally:?}");
    for counter in [&tally.reads_found, &tally.reads_missing, &tally.later_pages, &tally.writes] {
        assert!(count(counter) * 100 > count(&tally.pairs), "{tally:?}");
    }
}

/// Runs a transcript against both worlds until so many pairs are compared or two answers differ.
fn compare_worlds(seed: u64, plan: &Plan, hidden: &[Hidden], bound: Bound, tally: &Tally) -> Option<Leak> {
    let (small, full) = (world::build(seed, plan, &[]), world::build(seed, plan, hidden));
    let mut pair = Pair { worlds: [&small, &full], revisions: Default::default(), compared: 0, tally };
    let mut transcript = Transcript::new(seed, plan);
    let mut steps = 0;
    while pair.compared < bound.pairs && steps < bound.steps {
        steps += 1;
        let step = transcript.next();
        if let Some((request, difference)) = pair.take(&step) {
            return Some(Leak { steps, request, difference });
        }
    }
    None
}

/// Two worlds that are asked the same.
struct Pair<'w> {
    worlds: [&'w World; 2],
    /// The newest revision that each world has told.
    revisions: [Option<String>; 2],
    compared: usize,
    tally: &'w Tally,
}

impl Pair<'_> {
    fn take(&mut self, step: &Step) -> Option<(String, String)> {
        match step {
            Step::Ask(ask) => self.ask(ask).1,
            Step::Pages { path } => self.pages(path),
            Step::Behind(change) => {
                change.apply(self.worlds[1]);
                None
            }
        }
    }

    fn ask(&mut self, ask: &Ask) -> (Answer, Option<(String, String)>) {
        let answers = [0, 1].map(|which| ask.send(&self.worlds[which].asker, self.revisions[which].as_deref()));
        for (answer, known) in answers.iter().zip(&mut self.revisions) {
            let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            if let Some(revision) = body["revision"].as_str() {
                *known = Some(revision.to_owned());
            }
        }
        self.compared += 1;
        self.count(ask, &answers[0]);
        let found = difference(&answers[0], &answers[1]).map(|difference| (format!("{ask:?}"), difference));
        let [answer, _] = answers;
        (answer, found)
    }

    fn pages(&mut self, path: &str) -> Option<(String, String)> {
        let mut next = path.to_owned();
        for page in 0..8 {
            let (answer, found) = self.ask(&Ask { method: "GET", path: next, ..Ask::default() });
            if found.is_some() || answer.status != 200 {
                return found;
            }
            let body = answer.json();
            let cursor = body["next_cursor"].as_str()?;
            self.tally.later_pages.fetch_add(u64::from(page > 0), Ordering::Relaxed);
            next = format!("{path}&cursor={cursor}");
        }
        None
    }

    fn count(&self, ask: &Ask, answer: &Answer) {
        let add = |counter: &AtomicU64, yes: bool| {
            counter.fetch_add(u64::from(yes), Ordering::Relaxed);
        };
        add(&self.tally.pairs, true);
        let is_read = ask.method == "GET" && ask.path.contains("/documents/");
        add(&self.tally.reads_found, is_read && answer.status == 200);
        add(&self.tally.reads_missing, is_read && answer.status == 404);
        add(&self.tally.writes, matches!(ask.method, "PUT" | "DELETE") && answer.status < 300);
        if ask.path != "/v1/search" || answer.status != 200 {
            return;
        }
        let hits = answer.json()["results"].as_array().map_or(0, Vec::len);
        add(&self.tally.searches, true);
        add(&self.tally.searches_with_hits, hits > 0);
        // Now and then: does somebody else find more in world B? If not, nothing would be hidden there.
        if self.compared.is_multiple_of(32) {
            let root = ask.send(&self.worlds[1].root, None);
            add(&self.tally.somebody_asked, true);
            add(&self.tally.somebody_sees_more, difference(answer, &root).is_some());
        }
    }
}

impl Ask {
    fn send(&self, caller: &Caller, revision: Option<&str>) -> Answer {
        let mut headers: Vec<(&str, &str)> = Vec::new();
        headers.extend(self.header.as_ref().map(|(name, value)| (*name, value.as_str())));
        headers.extend(revision.filter(|_| self.demands_revision).map(|revision| ("ringfence-min-revision", revision)));
        caller.send_with(self.method, &self.path, self.media_type, &headers, self.body.as_deref().map(str::as_bytes))
    }
}

impl Change {
    fn apply(&self, world: &World) {
        let admin = &world.tenant.admin;
        match self {
            Self::Put(Planned { collection, id, form }) => drop(admin.put(&document_path(collection, id), form)),
            Self::Delete { collection, id } => drop(admin.delete(&document_path(collection, id))),
            Self::Group { name, member } => {
                drop(admin.put(&format!("/v1/groups/{name}"), &json!({"members": [member]})));
            }
            Self::User { name, is_gone: false } => world.put_user(name),
            Self::User { name, is_gone: true } => world.delete_user(name),
            Self::Search { query } => drop(world.root.found(query)),
        }
    }
}

/// The fewest hidden items that still make a difference within the steps of a leak (delta debugging).
fn smallest(seed: u64, plan: &Plan, leak: &Leak) -> Vec<Hidden> {
    let bound = Bound { pairs: usize::MAX, steps: leak.steps };
    let leaks = |hidden: &[Hidden]| compare_worlds(seed, plan, hidden, bound, &Tally::default()).is_some();
    minimal(plan.hidden.clone(), &leaks)
}

/// Removes ever smaller parts for as long as `fails` holds of what is left.
fn minimal<T: Clone>(mut items: Vec<T>, fails: &dyn Fn(&[T]) -> bool) -> Vec<T> {
    let mut size = items.len().div_ceil(2);
    while size > 0 && !items.is_empty() {
        let mut start = 0;
        while start < items.len() {
            let mut fewer = items.clone();
            fewer.drain(start..(start + size).min(items.len()));
            if fails(&fewer) {
                items = fewer;
            } else {
                start += size;
            }
        }
        size = if size == 1 { 0 } else { size.div_ceil(2) };
    }
    items
}

#[test]
fn the_driver_finds_a_planted_leak_and_its_cause() {
    let mut plan = plan::plan(0, 12, 12);
    assert_eq!(plan.asker, Asker::User);
    assert!(compare_worlds(0, &plan, &plan.hidden, Bound::pairs(60), &Tally::default()).is_none());
    let form = json!({"text": "The signing keys are rotated by hand.", "acl": {"allow": ["group:staff"]}});
    plan.hidden.push(Hidden::Document(Planned { collection: "handbook", id: "planted".to_owned(), form }));
    let leak = compare_worlds(0, &plan, &plan.hidden, Bound::pairs(60), &Tally::default())
        .expect("the planted document is seen");
    let smallest = smallest(0, &plan, &leak);
    let is_planted = |hidden: &Hidden| matches!(hidden, Hidden::Document(document) if document.id == "planted");
    assert!(matches!(smallest.as_slice(), [only] if is_planted(only)), "{leak} {smallest:#?}");
}

#[test]
fn the_smallest_cause_is_found() {
    let fails = |items: &[u32]| items.contains(&17) && items.contains(&40);
    assert_eq!(minimal((0..100).collect(), &fails), [17, 40]);
}
