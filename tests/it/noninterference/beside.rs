//! Hidden writes that happen while the asker is being answered change no byte of the answers, and cost none of them.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::json;
use tokio::time::{Duration, Instant};

use super::{
    compare::difference,
    plan::{self, Hidden, Planned},
    transcript::{Ask, Step, Transcript},
    world::{self, World},
};
use crate::{
    harness::{Answer, document_path, is_deep},
    oracle::Dice,
};

const QUESTIONS: usize = 120;

/// Questions that change nothing.
fn questions(seed: u64, plan: &plan::Plan) -> Vec<Ask> {
    let mut transcript = Transcript::new(seed, plan);
    let mut questions = Vec::new();
    while questions.len() < QUESTIONS {
        if let Step::Ask(ask) = transcript.next()
            && (ask.method == "GET" || ask.path == "/v1/search")
            && !ask.demands_revision
        {
            questions.push(ask);
        }
    }
    questions
}

/// Writes out of the asker's sight, one after the other, until told to stop.
fn churn(world: &World, hidden: &[&Planned], seed: u64, is_over: &AtomicBool) -> usize {
    let (admin, mut dice, mut count) = (world.tenant.admin.clone(), Dice(seed), 0);
    while !is_over.load(Ordering::Relaxed) {
        let Planned { collection, form, .. } = hidden[dice.roll(hidden.len())];
        let path = document_path(collection, &format!("churn{}", dice.roll(40)));
        let status = match dice.roll(6) {
            0 => admin.delete(&path).status,
            1 => {
                let acl = json!({"allow": [format!("user:y{}", dice.roll(500))]});
                admin.put(&format!("{path}/acl"), &acl).status
            }
            2 => {
                let member = format!("user:x{}", dice.roll(1_000));
                admin.put(&format!("/v1/groups/churn{}", dice.roll(5)), &json!({"members": [member]})).status
            }
            3 => {
                admin
                    .put(
                        &format!("/v1/collections/churn{}", dice.roll(5)),
                        &json!({"readers": ["group:board"], "writers": ["service:other"]}),
                    )
                    .status
            }
            _ => admin.put(&path, form).status,
        };
        assert!(matches!(status, 200 | 204 | 404), "{status}");
        count += 1;
    }
    count
}

#[test]
fn hidden_writes_at_the_same_time_change_no_byte() {
    let seed = 0;
    let plan = plan::plan(seed, 30, 120);
    let world = world::build(seed, &plan, &plan.hidden);
    let hidden: Vec<&Planned> = plan
        .hidden
        .iter()
        .filter_map(|hidden| if let Hidden::Document(document) = hidden { Some(document) } else { None })
        .collect();
    let questions = questions(seed, &plan);
    let quiet: Vec<Answer> = questions.iter().map(|ask| ask.send(&world.asker, None)).collect();
    let (is_over, writes) = (AtomicBool::new(false), AtomicUsize::new(0));
    let end = Instant::now() + Duration::from_secs(if is_deep() { 300 } else { 10 });
    let mut compared = 0;
    let leak = std::thread::scope(|scope| {
        for seed in 0..2 {
            let (world, hidden, is_over, writes) = (&world, &hidden, &is_over, &writes);
            scope.spawn(move || writes.fetch_add(churn(world, hidden, seed, is_over), Ordering::Relaxed));
        }
        let mut leak = None;
        while leak.is_none() && Instant::now() < end {
            for (ask, quiet) in questions.iter().zip(&quiet) {
                let answer = ask.send(&world.asker, None);
                compared += 1;
                leak = leak.or_else(|| difference(quiet, &answer).map(|difference| format!("{ask:?}: {difference}")));
            }
        }
        is_over.store(true, Ordering::Relaxed);
        leak
    });
    eprintln!("{compared} answers compared beside {writes:?} hidden writes");
    assert!(leak.is_none(), "{}", leak.unwrap_or_default());
    assert!(compared > 100 && writes.load(Ordering::Relaxed) > 50, "{compared} compared beside {writes:?} writes");
}
