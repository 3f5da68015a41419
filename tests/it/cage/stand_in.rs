//! Programs that are no good workers: what they do is never more than the refusal of a document.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use ringfence::{
    app::{App, StartError},
    cage::{Cage, CageError, Protection},
    clock::Clock,
    config::Config,
    entropy::Entropy,
};
use ringfence_ingest::{Fault, PrepareError};
use tempfile::TempDir;

use super::RUNTIME;

/// A shell script in the place of a worker.
fn script(body: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("worker");
    fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    (folder, path)
}

#[test]
fn a_program_that_is_no_worker_is_not_started_with() {
    for body in ["exit 0", "echo hello", "printf 'ready files'"] {
        let (_folder, path) = script(body);
        assert!(RUNTIME.block_on(Cage::open(Some(path))).is_err(), "{body}");
    }
    assert!(RUNTIME.block_on(Cage::open(Some("/nonexistent/worker".into()))).is_err());
}

#[test]
fn a_worker_that_fails_refuses_its_document_and_no_other() {
    let parsed = r#"{"parsed":{"title":null,"media_type":"text/html","findings":[],"text":"x"}}"#;
    for (body, expected) in [
        ("exit 1", Fault::Crashed),
        ("kill -SEGV $$", Fault::Crashed),
        ("kill -XCPU $$", Fault::TimedOut),
        ("cat > /dev/null & echo nonsense", Fault::Crashed),
        // A good answer is not believed if the worker then fails.
        (&format!("printf '%s' '{parsed}'; exit 3"), Fault::Crashed),
        ("yes 0123456789012345678901234567890123456789", Fault::Crashed),
    ] {
        let (_folder, path) = script(&format!("echo 'ready files'\nread order\n{body}"));
        let cage = RUNTIME.block_on(Cage::open(Some(path))).unwrap();
        for _ in 0..2 {
            match RUNTIME.block_on(cage.parse(b"<p>x", Some("text/html"), &[])) {
                Err(CageError::Refused(PrepareError::Unparseable(fault))) => assert_eq!(fault, expected, "{body}"),
                other => panic!("{body}: {other:?}"),
            }
        }
    }
}

#[test]
fn a_worker_that_died_waiting_is_replaced() {
    // A name of its own for the program, so that no other test's worker is taken for one of this cage.
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("ringfence");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_ringfence"), &program).unwrap();
    let cage = RUNTIME.block_on(Cage::open(Some(program.clone()))).unwrap();
    // Workers that wait for a document, ended as by an administrator who is short of memory.
    let workers = workers_of(&program);
    assert!(!workers.is_empty());
    for pid in &workers {
        let pid = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }
    while !workers.iter().all(|pid| has_ended(pid)) {
        std::thread::yield_now();
    }
    let parsed = RUNTIME.block_on(cage.parse(b"<p>x", Some("text/html"), &[]));
    assert!(parsed.is_ok(), "{parsed:?}");
}

/// Whether a process is gone or waits to be reaped. Its command line is empty earlier, while it still ends.
fn has_ended(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z ") || stat.contains(") X "))
}

/// The processes that were started from this path.
fn workers_of(program: &std::path::Path) -> Vec<String> {
    let is_one = |pid: &String| {
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        command.split(|byte| *byte == 0).next() == Some(program.as_os_str().as_encoded_bytes())
    };
    let names = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter(is_one).collect()
}

#[test]
fn a_server_without_the_demanded_sandbox_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let open = |require_sandbox: bool, worker_program: Option<PathBuf>| {
        let config =
            Config { data_dir: folder.path().join("data"), require_sandbox, worker_program, ..Config::default() };
        RUNTIME.block_on(App::init(config, Clock::System.into(), Entropy::System.into()))
    };
    let Err(StartError::Sandbox(missing)) = open(true, None) else { panic!("started without a sandbox") };
    for protection in Protection::ALL {
        assert!(missing.contains(protection.absence()), "{missing}");
    }
    assert!(open(false, None).is_ok());
}

#[test]
fn documents_that_need_no_worker_do_without() {
    let cage = RUNTIME.block_on(Cage::open(None)).unwrap();
    assert!(matches!(RUNTIME.block_on(cage.parse(b"<p>x", None, &[])), Err(CageError::Unavailable(_))));
    assert_eq!(cage.protections().missing().count(), Protection::ALL.len());
}
