//! `kill -9` at any moment loses nothing that was acknowledged, and leaves nothing half done.
//!
//! Several connections write documents, ACLs, batches and group memberships and keep a journal of what they asked and what was acknowledged. The process is killed in the middle of it, or while it starts. Afterwards each thing must be in the state that was last acknowledged or in the one that was asked for last, whole; search must agree with reads, and the audit log must be sound and hold every acknowledged write.

mod journal;

use std::{
    fs,
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::Duration,
};

use ringfence::audit::{self, verify};
use serde_json::{Value, json};

use self::journal::{Journal, Readers};
use crate::{
    harness::{Caller, Program, Serving, Tenant, is_deep},
    oracle::Dice,
};

const KILLS: usize = 60;
const CONNECTIONS: usize = 3;

#[test]
fn a_killed_server_keeps_what_it_acknowledged() {
    let program = Program::init();
    let serving = program.serve();
    let tenant = Tenant::create(serving.address, &program.operator(&serving), "acme");
    tenant.collection("handbook", &json!({}));
    let people = ["ann", "bob"].map(|name| tenant.user(name, &[]));
    let member = tenant.user("cat", &[]);
    let admin = tenant.admin.clone();
    let mut journals: Vec<Journal> = (0..CONNECTIONS).map(Journal::new).collect();
    journals.iter().for_each(|journal| journal.furnish(&tenant));
    let (status, log) = serving.stop();
    assert!(status.success(), "{status}: {log}");

    let mut dice = Dice(5);
    let kills = if is_deep() { 1_000 } else { KILLS };
    for kill in 0..kills {
        if dice.roll(6) == 0 {
            let ms = u64::try_from(dice.roll(400)).expect("small");
            program.serve_and_kill(Duration::from_millis(ms));
        } else {
            let serving = program.serve();
            write_until_killed(serving, &admin, &mut journals, &mut dice);
        }
        assert_log_is_whole(&program);
        let serving = program.serve();
        let readers = Readers {
            people: people.each_ref().map(|person| person.at(serving.address)),
            member: member.at(serving.address),
        };
        for journal in &mut journals {
            journal.settle(&readers, &format!("after kill {kill}"));
        }
        if kill % 10 == 0 {
            let (status, log) = serving.stop();
            assert!(status.success(), "{status}: {log}");
        } else {
            // Killed at rest: the next start replays the same again.
            serving.kill();
        }
    }
    assert_everything_is_recorded(&program, &journals);
    let acknowledged: usize = journals.iter().map(Journal::acknowledged).sum();
    let unanswered: usize = journals.iter().map(Journal::unanswered).sum();
    eprintln!("{kills} kills: {acknowledged} acknowledged, {unanswered} unanswered");
    assert!(acknowledged > kills * 5 && unanswered > kills / 4, "{acknowledged} answered, {unanswered} not");
}

/// All connections write until one of them has asked for a drawn number of things; then the process dies.
fn write_until_killed(serving: Serving, admin: &Caller, journals: &mut [Journal], dice: &mut Dice) {
    let (asked, asking) = mpsc::channel();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for journal in journals {
            let (caller, asked, over) = (admin.at(serving.address), asked.clone(), &over);
            scope.spawn(move || while !over.load(Ordering::Relaxed) && journal.write(&caller, &asked).is_ok() {});
        }
        for _ in 0..=dice.roll(150) {
            asking.recv_timeout(Duration::from_secs(20)).expect("the server takes writes");
        }
        over.store(true, Ordering::Relaxed);
        serving.kill();
    });
}

/// Before anything is repaired: at most the last line of a log may be torn.
fn assert_log_is_whole(program: &Program) {
    let report = verify(&program.data_dir().join("audit"), None).unwrap();
    for log in &report.logs {
        assert!(log.problems.iter().all(|problem| *problem == audit::Problem::Torn), "{log:?}");
    }
}

/// After a last start and stop in good order every acknowledged write has its record, and the chain holds.
fn assert_everything_is_recorded(program: &Program, journals: &[Journal]) {
    let (status, log) = program.serve().stop();
    assert!(status.success(), "{status}: {log}");
    let folder = program.data_dir().join("audit");
    let report = verify(&folder, None).unwrap();
    assert!(report.is_sound(), "{report:?}");
    let text = fs::read_to_string(folder.join("acme.log")).unwrap();
    let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for journal in journals {
        journal.assert_recorded(&records);
    }
    let verified = program.command().args(["audit", "verify"]).output().unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    let doctor = program.command().arg("doctor").arg("--data-dir").arg(program.data_dir()).output().unwrap();
    let told = [doctor.stdout.as_slice(), &doctor.stderr].concat();
    assert!(doctor.status.success(), "{}", String::from_utf8_lossy(&told));
}
