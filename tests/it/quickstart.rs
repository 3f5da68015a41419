//! What the README tells a newcomer to type works, in order, with the binary of this checkout.

use std::{
    fs,
    io::Read,
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    time::Duration,
};

/// Everything of the quickstart is done in less.
const PATIENCE: Duration = Duration::from_secs(120);
const START: &str = "<!-- quickstart -->";
const END: &str = "<!-- /quickstart -->";

/// The shell blocks between the marks, as one script.
fn script(readme: &str) -> String {
    let (_, rest) = readme.split_once(START).expect("the README marks its quickstart");
    let (inside, _) = rest.split_once(END).expect("the README marks where its quickstart ends");
    let blocks = inside.split("```sh\n").skip(1).map(|rest| rest.split("```").next().expect("a block"));
    blocks.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_quickstart_of_the_readme_works() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).expect("there is a README");
    // Another port than the README's, which somebody may be using on this machine.
    let address = free_address();
    let script = script(&readme).replace("127.0.0.1:7300", &address);
    assert!(script.contains(" init ") && script.contains("curl"), "a quickstart starts and asks: {script}");
    let folder = tempfile::tempdir().unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_ringfence")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let mut child = Command::new("sh")
        .args(["-eu", "-c", &script])
        .current_dir(folder.path())
        .env_clear()
        .env("PATH", path)
        .env("HOME", folder.path())
        .env("RINGFENCE_LISTEN", &address)
        .env("RINGFENCE_SERVER", format!("http://{address}"))
        // A group of its own, so that a server which the script leaves running can be ended with it.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let group = child.id();
    let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let (ended, is_ended) = mpsc::channel();
    let waiting = std::thread::spawn(move || {
        let status = child.wait().unwrap();
        let _waiting = ended.send(());
        status
    });
    let said = std::thread::spawn(move || read(&mut stdout));
    let complained = std::thread::spawn(move || read(&mut stderr));
    let in_time = is_ended.recv_timeout(PATIENCE);
    // The group may be gone already.
    let _gone = Command::new("sh").args(["-c", &format!("kill -KILL -{group}")]).stderr(Stdio::null()).status();
    let (status, said, complained) = (waiting.join().unwrap(), said.join().unwrap(), complained.join().unwrap());
    assert!(in_time.is_ok() && status.success(), "{status}\n{script}\n── out\n{said}\n── err\n{complained}");
    let answers: Vec<&str> = said.lines().filter(|line| line.contains("\"results\"")).collect();
    assert_eq!(answers.len(), 2, "two people asked: {said}");
    assert!(answers[0].contains("\"document_id\":\"key-rotation\""), "the first reads the runbook: {said}");
    assert!(!answers[1].contains("key-rotation"), "for the second it does not exist: {said}");
    assert!(!said.contains("ignore all previous"), "what was hidden in it does not come out: {said}");
}

fn free_address() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

fn read(stream: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn only_marked_shell_blocks_are_run() {
    let readme = format!(
        "```sh\nno\n```\n{START}\n```sh\none\n```\ntext\n```json\nno\n```\n```sh\ntwo\n```\n{END}\n```sh\nno\n```"
    );
    assert_eq!(script(&readme), "one\n\ntwo\n");
}
