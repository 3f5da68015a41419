//! Every order in which one reading and one revocation can meet at the failpoints; and whether the checker sees the faults that are planted there.

use std::sync::Arc;

use ringfence_indexes::{
    TenantId,
    failpoint::{self, Fault, Place},
};

use super::{
    check::Checker,
    gate::{Gate, Who},
    history::Way,
    world::{CAUSES, WAYS, World},
};
use crate::{harness::is_deep, oracle::Dice};

/// How many schedules a regular run takes of all.
const REGULAR: usize = 300;

const READING_STOPS: [Option<(Place, usize)>; 6] = [
    None,
    Some((Place::SnapshotTaken, 0)),
    // The second look takes a snapshot as well.
    Some((Place::SnapshotTaken, 1)),
    Some((Place::Remembering, 0)),
    Some((Place::Released, 0)),
    Some((Place::Rechecked, 0)),
];

/// Who is begun first, and where the write is held.
const ORDERS: [(Who, Option<(Place, usize)>); 5] = [
    (Who::Reading, None),
    (Who::Reading, Some((Place::Durable, 0))),
    (Who::Reading, Some((Place::Published, 0))),
    (Who::Writing, Some((Place::Durable, 0))),
    (Who::Writing, Some((Place::Published, 0))),
];

/// One reading and one revocation.
#[derive(Clone, Copy, Debug)]
struct Schedule {
    race: usize,
    way: Way,
    reading: Option<(Place, usize)>,
    first: Who,
    writing: Option<(Place, usize)>,
}

/// Every schedule, in an order that is always the same and mixes everything.
fn schedules() -> Vec<Schedule> {
    let mut all = Vec::new();
    for race in 0..CAUSES.len() {
        for way in WAYS {
            for reading in READING_STOPS {
                all.extend(ORDERS.map(|(first, writing)| Schedule { race, way, reading, first, writing }));
            }
        }
    }
    let mut dice = Dice(6);
    for place in (1..all.len()).rev() {
        all.swap(place, dice.roll(place + 1));
    }
    all
}

/// Runs a schedule: what is granted is read and revoked, and read once more.
fn run(world: &World, gate: &Gate, schedule: Schedule) {
    let race = &world.races[schedule.race];
    let admin = &world.tenant.admin;
    world.grant(race, admin);
    let (reader, credential) = world.reader(race, schedule.way);
    let writer = admin.clone();
    let read = || {
        world.read(race, schedule.way, (&reader, credential), || gate.looked_again());
        gate.end(Who::Reading);
    };
    let write = || {
        world.revoke(race, &writer);
        gate.end(Who::Writing);
    };
    std::thread::scope(|scope| match schedule.first {
        Who::Reading => {
            gate.begin(Who::Reading, schedule.reading);
            let reading = scope.spawn(read);
            gate.wait(Who::Reading);
            gate.begin(Who::Writing, schedule.writing);
            let writing = scope.spawn(write);
            gate.wait(Who::Writing);
            gate.let_go(Who::Reading);
            reading.join().unwrap();
            gate.let_go(Who::Writing);
            writing.join().unwrap();
        }
        Who::Writing => {
            gate.begin(Who::Writing, schedule.writing);
            let writing = scope.spawn(write);
            gate.wait(Who::Writing);
            gate.begin(Who::Reading, schedule.reading);
            let reading = scope.spawn(read);
            gate.wait(Who::Reading);
            gate.let_go(Who::Writing);
            writing.join().unwrap();
            gate.let_go(Who::Reading);
            reading.join().unwrap();
        }
    });
    gate.begin(Who::Reading, None);
    let (reader, credential) = world.reader(race, schedule.way);
    world.read(race, schedule.way, (&reader, credential), || gate.looked_again());
}

/// Runs schedules until one is not as promised, and tells of that.
fn search(name: &str, fault: Option<Fault>, count: usize) -> Option<String> {
    let world = World::new(name);
    let gate = Arc::new(Gate::new(Arc::clone(&world.history)));
    let hook = Arc::clone(&gate);
    let tenant = TenantId::new(name).unwrap();
    let _armed = failpoint::arm(&tenant, fault, Arc::new(move |place| hook.pass(place)));
    let (mut shown, mut hidden) = (0, 0);
    for (number, schedule) in (1..).zip(schedules().into_iter().take(count)) {
        run(&world, &gate, schedule);
        let readings = world.history.take_readings();
        let registers = world.history.registers();
        let checker = Checker::new(&world.topics, &registers);
        if let Some(violation) = checker.violations(&readings).first() {
            return Some(format!("after {number} schedules, {schedule:?}:\n{}", checker.tell(violation)));
        }
        for reading in readings {
            *(if reading.shows() { &mut shown } else { &mut hidden }) += 1;
        }
    }
    assert!(shown * 10 > count && hidden * 3 > count, "{shown} shown, {hidden} not: nothing was raced");
    None
}

#[test]
fn schedules_of_a_reading_and_a_revocation_are_as_promised() {
    let count = if is_deep() { usize::MAX } else { REGULAR };
    let all = schedules().len().min(count);
    let found = search("as-promised", None, all);
    eprintln!("{all} schedules");
    assert!(found.is_none(), "{}", found.unwrap_or_default());
}

/// Each in the schedules in which nothing is found without it.
#[test]
fn schedules_find_every_planted_fault() {
    let faults = [
        ("no-recheck", Fault::NoRecheck),
        ("lasting-memory", Fault::LastingMemory),
        ("early-acknowledgement", Fault::EarlyAcknowledgement),
        ("no-credential-check", Fault::NoCredentialCheck),
    ];
    for (name, fault) in faults {
        let found = search(name, Some(fault), REGULAR);
        eprintln!("{fault:?} {}", found.unwrap_or_else(|| panic!("{fault:?} is not found")));
    }
}
