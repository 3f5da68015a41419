//! Many readings against many revocations: what was seen is checked afterwards, every single answer.

use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::time::{Duration, Instant};

use super::{
    check::Checker,
    history::{Reading, Saw, Way},
    world::{CAUSES, Cause, Race, WAYS, World},
};
use crate::{harness::is_deep, oracle::Dice};

const READERS: u64 = 3;
const WRITERS: usize = 3;

/// How long a race is.
struct Length {
    readings: u64,
    revokes: u64,
    at_most: Duration,
}

fn length() -> Length {
    match is_deep() {
        true => Length { readings: 1_000_000, revokes: 20_000, at_most: Duration::from_secs(560) },
        false => Length { readings: 100_000, revokes: 1_000, at_most: Duration::from_secs(40) },
    }
}

#[test]
fn what_is_revoked_is_not_seen_again() {
    let world = World::new("race");
    let length = length();
    let (readings, revokes) = (AtomicU64::new(0), AtomicU64::new(0));
    let effective = Mutex::new(Vec::new());
    let start = Instant::now();
    let is_over = || {
        let is_enough =
            readings.load(Ordering::Relaxed) >= length.readings && revokes.load(Ordering::Relaxed) >= length.revokes;
        is_enough || start.elapsed() >= length.at_most
    };
    std::thread::scope(|scope| {
        for number in 0..WRITERS {
            let (world, is_over, revokes, effective) = (&world, &is_over, &revokes, &effective);
            scope.spawn(move || write(world, number, is_over, revokes, effective));
        }
        for seed in 0..READERS {
            let (world, is_over, readings) = (&world, &is_over, &readings);
            scope.spawn(move || read(world, seed, is_over, readings));
        }
    });
    let took = start.elapsed();
    let readings = world.history.take_readings();
    let registers = world.history.registers();
    let checker = Checker::new(&world.topics, &registers);
    let violations = checker.violations(&readings);
    let mut effective = effective.into_inner().unwrap();
    effective.sort_unstable();
    let at = |share: usize| effective[(effective.len() - 1) * share / 100];
    eprintln!(
        "{} readings, {} revokes in {took:.1?}; revoked, acknowledged and refused to the next reading within {:.1?} (p50), {:.1?} (p99)",
        readings.len(),
        revokes.load(Ordering::Relaxed),
        at(50),
        at(99)
    );
    let told = violations.iter().take(5).map(|violation| checker.tell(violation));
    assert!(violations.is_empty(), "{} violations:\n{}", violations.len(), told.collect::<Vec<_>>().join("\n"));
    assert_raced(&readings);
}

/// Grants and revokes every so many-th race in turn, and looks at once after each revocation.
fn write(
    world: &World,
    number: usize,
    is_over: &(dyn Fn() -> bool + Sync),
    revokes: &AtomicU64,
    effective: &Mutex<Vec<Duration>>,
) {
    let admin = world.tenant.admin.clone();
    let mut dice = Dice(100 + number as u64);
    let mut took = Vec::new();
    while !is_over() {
        for race in world.races.iter().skip(number).step_by(WRITERS) {
            world.grant(race, &admin);
        }
        for race in world.races.iter().skip(number).step_by(WRITERS) {
            let way = WAYS[dice.roll(WAYS.len() - 1)];
            let (reader, credential) = world.reader(race, way);
            let start = Instant::now();
            world.revoke(race, &admin);
            let saw = world.read(race, way, (&reader, credential), || None);
            took.push(start.elapsed());
            assert!(!matches!(saw, Saw::Text(_) | Saw::Something), "{:?} in {way:?}: {saw:?}", race.cause);
            revokes.fetch_add(1, Ordering::Relaxed);
        }
    }
    effective.lock().unwrap().append(&mut took);
}

fn read(world: &World, seed: u64, is_over: &(dyn Fn() -> bool + Sync), readings: &AtomicU64) {
    let mut dice = Dice(seed);
    // A connection for each credential; a race's old one is closed.
    let mut connections: HashMap<usize, _> = HashMap::new();
    while !is_over() {
        let number = dice.roll(world.races.len());
        let race: &Race = &world.races[number];
        let way = WAYS[dice.roll(WAYS.len())];
        let place = if way == Way::Explain { usize::MAX } else { number };
        let current = world.credential(race, way);
        let known = connections.entry(place).or_insert_with(|| world.reader(race, way));
        if known.1 != current {
            *known = world.reader(race, way);
        }
        world.read(race, way, (&known.0, known.1), || None);
        readings.fetch_add(1, Ordering::Relaxed);
    }
}

/// A race that nobody ever won, or that was never revoked, would prove nothing.
fn assert_raced(readings: &[Reading]) {
    for (number, cause) in CAUSES.iter().enumerate() {
        for way in WAYS {
            let own = readings.iter().filter(|reading| reading.topic == number && reading.way == way);
            let (shown, hidden): (Vec<&Reading>, Vec<&Reading>) = own.partition(|reading| reading.shows());
            assert!(shown.len() > 2, "{cause:?} was seen {} times by {way:?}", shown.len());
            // Whoever asks about somebody is told of their rights, whatever becomes of their key.
            let is_blind = way == Way::Explain && matches!(cause, Cause::Key | Cause::Token);
            assert!(hidden.len() > 2 || is_blind, "{cause:?} was hidden {} times from {way:?}", hidden.len());
        }
    }
}
