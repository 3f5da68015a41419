//! The log under mutation: what was chained verifies, and every edit of it is seen.

use std::{fs, sync::Arc};

use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};
use ringfence_indexes::{TenantId, Timestamp};
use tempfile::TempDir;

use super::{Action, Actor, AuditError, AuditEvent, AuditLog, Problem, QueryDigest, SyncMode, verify};
use crate::{clock::Clock, seal::MasterKey};

fn tenant() -> TenantId {
    TenantId::new("acme").unwrap()
}

fn event(number: usize) -> AuditEvent {
    AuditEvent {
        tenant: Some(tenant()),
        actor: Actor {
            credential: "key-1".into(),
            principal: Some("user:alice".into()),
            acting_for: None,
            purpose: None,
        },
        action: Action::Search,
        resource: Some("handbook".into()),
        status: 200,
        request_id: format!("request-{number}"),
        query: Some(QueryDigest::new(&[3; 32], "how many days of leave")),
        documents: vec!["leave\"policy\n".into()],
        count: number,
    }
}

fn open(dir: &TempDir) -> AuditLog {
    let clock = Arc::new(Clock::fixed(Timestamp(1_700_000_000_000_000)));
    AuditLog::open(dir.path(), &MasterKey::new([7; 32]), SyncMode::Background, clock).unwrap()
}

/// A closed log of `records` records.
fn written(records: usize) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir);
    for number in 0..records {
        let _receipt = log.record(&event(number)).unwrap();
    }
    log.shutdown().unwrap();
    dir
}

#[test]
fn chains_signs_and_verifies_across_openings() {
    let dir = written(1_003);
    let log = open(&dir);
    let _receipt = log.record_durable(&event(0)).unwrap();
    let server = AuditEvent { tenant: None, action: Action::ListTenants, ..event(1) };
    assert_eq!(log.record_all_durable(&[&event(1), &server, &event(2)]).unwrap().len(), 3);
    log.shutdown().unwrap();
    let report = verify(dir.path(), None).unwrap();
    assert!(report.is_sound(), "{report:?}");
    let counted: Vec<_> = report.logs.iter().map(|log| (log.log.as_str(), log.records, log.signed)).collect();
    assert_eq!(counted, [("_server", 1, 1), ("acme", 1_006, 1_006)]);
    let checkpoints = fs::read_to_string(dir.path().join("acme.checkpoints")).unwrap();
    assert_eq!(checkpoints.lines().count(), 3);
}

#[test]
fn keeps_queries_unreadable() {
    let dir = written(1);
    let text = fs::read_to_string(dir.path().join("acme.log")).unwrap();
    assert!(!text.contains("leave\"") && !text.contains("days"), "{text}");
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line["query"]["length_bucket"], 32);
    assert_eq!(line["seq"], 1);
}

#[test]
fn repairs_a_torn_end_and_says_so() {
    let dir = written(3);
    let path = dir.path().join("acme.log");
    let sound = fs::read(&path).unwrap();
    for torn in [&b"{\"seq\":4,\"at\":17"[..], b"{\"seq\":4}\n", b"\0\0\0\0"] {
        fs::write(&path, [&sound[..], torn].concat()).unwrap();
        fs::remove_file(dir.path().join("acme.checkpoints")).unwrap_or(());
        assert!(!verify(dir.path(), None).unwrap().is_sound());
        let log = open(&dir);
        let _receipt = log.record(&event(9)).unwrap();
        log.shutdown().unwrap();
        let report = verify(dir.path(), None).unwrap();
        assert!(report.is_sound(), "{report:?}");
        assert_eq!(report.logs[0].records, 5);
        let repaired = fs::read_to_string(&path).unwrap().lines().nth(3).unwrap().to_owned();
        assert!(repaired.contains("\"log.repaired\"") && repaired.contains(&format!("\"count\":{}", torn.len())));
    }
}

#[test]
fn refuses_to_open_what_was_cut_or_changed() {
    let dir = written(5);
    let path = dir.path().join("acme.log");
    let text = fs::read_to_string(&path).unwrap();
    let without_third: String =
        text.split_inclusive('\n').enumerate().filter(|(n, _)| *n != 2).map(|(_, l)| l).collect();
    let cut: String = text.split_inclusive('\n').take(4).collect();
    for damaged in [without_third, cut, String::new(), text.replacen("user:alice", "user:malla", 1)] {
        fs::write(&path, damaged).unwrap();
        assert!(matches!(open(&dir).record(&event(0)), Err(AuditError::Damaged { .. })));
    }
    fs::write(&path, text).unwrap();
    let _receipt = open(&dir).record(&event(0)).unwrap();
}

#[test]
fn refuses_another_master_key() {
    let dir = written(1);
    let opened = AuditLog::open(dir.path(), &MasterKey::new([8; 32]), SyncMode::Always, Arc::new(Clock::System));
    assert!(matches!(opened, Err(AuditError::Damaged { .. })));
}

#[test]
fn gives_no_receipt_where_it_cannot_write() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(&dir);
    fs::create_dir(log.path(Some(&tenant()))).unwrap();
    assert!(matches!(log.record(&event(0)), Err(AuditError::Unavailable(_))));
    fs::remove_dir(log.path(Some(&tenant()))).unwrap();
    let _receipt = log.record(&event(0)).unwrap();
}

#[test]
fn detects_a_checkpoint_of_another_log() {
    let dir = written(2);
    fs::copy(dir.path().join("acme.log"), dir.path().join("globex.log")).unwrap();
    fs::copy(dir.path().join("acme.checkpoints"), dir.path().join("globex.checkpoints")).unwrap();
    let report = verify(dir.path(), None).unwrap();
    assert_eq!(report.logs[1].problems, [Problem::Checkpoint { line: 1 }]);
}

/// What an attacker with a text editor does to a log.
#[derive(Clone, Debug)]
enum Mutation {
    Delete(usize),
    Repeat(usize),
    Swap(usize, usize),
    Flip(usize, u8),
    Truncate(usize),
    Insert(usize, usize),
}

fn mutations() -> impl Strategy<Value = Mutation> {
    let place = any::<usize>;
    prop_oneof![
        place().prop_map(Mutation::Delete),
        place().prop_map(Mutation::Repeat),
        (place(), place()).prop_map(|(from, to)| Mutation::Swap(from, to)),
        (place(), 1_u8..).prop_map(|(at, mask)| Mutation::Flip(at, mask)),
        place().prop_map(Mutation::Truncate),
        (place(), Just(0).prop_union(Just(1))).prop_map(|(at, which)| Mutation::Insert(at, which)),
    ]
}

fn mutate(text: &[u8], mutation: &Mutation) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = text.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let count = lines.len();
    match *mutation {
        Mutation::Delete(at) => drop(lines.remove(at % count)),
        Mutation::Repeat(at) => lines.insert(at % count, lines[at % count].clone()),
        Mutation::Swap(from, to) => lines.swap(from % count, to % count),
        Mutation::Flip(at, mask) => {
            let mut bytes = text.to_vec();
            bytes[at % text.len()] ^= mask;
            return bytes;
        }
        Mutation::Truncate(at) => return text[..at % text.len()].to_vec(),
        Mutation::Insert(at, which) => lines.insert(at % (count + 1), [&b"\n"[..], b"{\"seq\":1}\n"][which].to_vec()),
    }
    lines.concat()
}

#[test]
fn detects_every_mutant() {
    let dir = written(20);
    let (log, checkpoints) = (dir.path().join("acme.log"), dir.path().join("acme.checkpoints"));
    let (text, signatures) = (fs::read(&log).unwrap(), fs::read(&checkpoints).unwrap());
    proptest!(ProptestConfig { cases: 2_000, ..ProptestConfig::default() }, |(mutation in mutations())| {
        let mutant = mutate(&text, &mutation);
        fs::write(&log, &mutant).unwrap();
        assert_eq!(verify(dir.path(), None).unwrap().is_sound(), mutant == text, "{mutation:?}");
    });
    fs::write(&log, &text).unwrap();
    proptest!(ProptestConfig { cases: 500, ..ProptestConfig::default() }, |(at in any::<usize>(), mask in 1_u8..)| {
        let mut mutant = signatures.clone();
        mutant[at % signatures.len()] ^= mask;
        fs::write(&checkpoints, &mutant).unwrap();
        assert!(!verify(dir.path(), None).unwrap().is_sound());
    });
}
