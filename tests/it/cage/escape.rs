//! Attempts to get out, each in a process that has shut itself in as a worker does: none leaves a trace outside.
//!
//! The process is this test program again, so that nothing of this is in the command that is shipped.

use std::{
    fs,
    io::Read,
    net::{TcpListener, TcpStream, UdpSocket},
    os::unix::{
        net::{UnixListener, UnixStream},
        process::{CommandExt, ExitStatusExt},
    },
    path::Path,
    process::{Command, Output},
};

use ringfence::cage::confine;

const KIND: &str = "RINGFENCE_TEST_ATTEMPT";
const FOLDER: &str = "RINGFENCE_TEST_FOLDER";
const PORT: &str = "RINGFENCE_TEST_PORT";
const LAYER: &str = "RINGFENCE_TEST_LAYER";
const ESCAPED: &str = "=== escaped ===";

/// What is tried; true if it worked.
fn try_to(kind: &str, folder: &Path, port: u16) -> bool {
    let file = folder.join("secret");
    match kind {
        "read a file" => fs::read(&file).is_ok(),
        "read a folder" => fs::read_dir(folder).is_ok(),
        "write a file" => fs::write(folder.join("new"), "x").is_ok(),
        "remove a file" => fs::remove_file(&file).is_ok(),
        "make a link" => std::os::unix::fs::symlink("/etc/passwd", folder.join("new")).is_ok(),
        "connect" => TcpStream::connect(("127.0.0.1", port)).is_ok(),
        "listen" => TcpListener::bind(("127.0.0.1", 0)).is_ok(),
        "send a packet" => {
            UdpSocket::bind(("127.0.0.1", 0)).and_then(|socket| socket.send_to(b"x", ("127.0.0.1", port))).is_ok()
        }
        "connect to a local socket" => UnixStream::connect(folder.join("socket")).is_ok(),
        "start a program" => Command::new("/bin/true").status().is_ok(),
        "become a program" => {
            let _ = Command::new("/bin/touch").arg(folder.join("new")).exec();
            false
        }
        "start a thread" => std::thread::Builder::new().spawn(|| ()).is_ok(),
        "signal another process" => {
            let parent = rustix::process::getppid().unwrap();
            rustix::process::test_kill_process(parent).is_ok()
        }
        "raise a limit" => {
            use rustix::process::{Resource, Rlimit, setrlimit};
            setrlimit(Resource::As, Rlimit { current: None, maximum: None }).is_ok()
        }
        "take memory" => {
            let mut taken: Vec<Vec<u8>> = Vec::new();
            // Touched, so that it is really there.
            (0..64).for_each(|_| taken.push(vec![1; 8 << 20]));
            taken.iter().map(|block| usize::from(block[block.len() / 2])).sum::<usize>() == 64
        }
        "take time" => {
            let mut number = 1_u64;
            loop {
                number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                if number == 0 {
                    return true;
                }
            }
        }
        other => panic!("no such attempt: {other}"),
    }
}

/// Run by the tests below in a process of its own.
#[test]
#[ignore = "the tests below run it"]
fn attempt() {
    let variable = |name: &str| std::env::var(name).unwrap();
    let (kind, folder, port) = (variable(KIND), variable(FOLDER), variable(PORT).parse().unwrap());
    let is_enforced = match variable(LAYER).as_str() {
        "all" => confine::confine().missing().count() == 0,
        "files" => confine::close_files(),
        "network" => confine::close_network(),
        "processes" => confine::close_processes(),
        "limits" => confine::limit().is_ok(),
        "system calls" => confine::filter_system_calls().is_some(),
        "none" => true,
        other => panic!("no such layer: {other}"),
    };
    if is_enforced && try_to(&kind, Path::new(&folder), port) {
        println!("{ESCAPED}");
    }
}

/// A place that can be damaged, and someone who listens.
struct World {
    folder: tempfile::TempDir,
    listener: TcpListener,
    packets: UdpSocket,
    socket: UnixListener,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("secret"), "a secret").unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let packets = UdpSocket::bind(("127.0.0.1", listener.local_addr().unwrap().port())).unwrap();
        let socket = UnixListener::bind(folder.path().join("socket")).unwrap();
        listener.set_nonblocking(true).unwrap();
        packets.set_nonblocking(true).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self { folder, listener, packets, socket }
    }

    fn attempt(&self, kind: &str, layer: &str) -> Output {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "cage::escape::attempt", "--ignored", "--nocapture", "--test-threads=1"])
            .env(KIND, kind)
            .env(FOLDER, self.folder.path())
            .env(PORT, self.listener.local_addr().unwrap().port().to_string())
            .env(LAYER, layer)
            .env("RUST_BACKTRACE", "0")
            .output()
            .unwrap()
    }

    /// Whether everything is as it was, and nobody called.
    fn is_untouched(&self) -> bool {
        let names: Vec<_> = fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        let mut buffer = [0; 8];
        names.len() == 2
            && fs::read(self.folder.path().join("secret")).is_ok_and(|text| text == b"a secret")
            && self.listener.accept().is_err()
            && self.socket.accept().is_err()
            && self.packets.recv(&mut buffer).is_err()
    }
}

fn escaped(output: &Output) -> bool {
    String::from_utf8_lossy(&output.stdout).contains(ESCAPED)
}

const QUICK: [&str; 15] = [
    "read a file",
    "read a folder",
    "write a file",
    "remove a file",
    "make a link",
    "connect",
    "listen",
    "send a packet",
    "connect to a local socket",
    "start a program",
    "become a program",
    "start a thread",
    "signal another process",
    "raise a limit",
    "take memory",
];

#[test]
fn nothing_gets_out() {
    for kind in QUICK {
        for _ in 0..3 {
            let world = World::new();
            let output = world.attempt(kind, "all");
            assert!(!escaped(&output) && !output.status.success(), "{kind}: {output:?}");
            assert!(world.is_untouched(), "{kind}");
            if kind != "take memory" {
                assert_eq!(output.status.signal(), Some(libc::SIGSYS), "{kind}: {output:?}");
            }
        }
    }
}

#[test]
fn an_endless_computation_ends() {
    let times = if std::env::var_os("RINGFENCE_DEEP").is_some() { 3 } else { 1 };
    for _ in 0..times {
        let output = World::new().attempt("take time", "all");
        assert_eq!(output.status.signal(), Some(libc::SIGXCPU), "{output:?}");
    }
}

/// The attempts work where nothing is in the way: otherwise the test above would show nothing.
#[test]
fn each_attempt_would_work_outside() {
    for kind in QUICK.iter().filter(|kind| **kind != "become a program") {
        let output = World::new().attempt(kind, "none");
        assert!(escaped(&output), "{kind}: {output:?}");
    }
}

/// Landlock and limits hold by themselves, so that a hole in one layer is none in the cage.
#[test]
fn each_layer_holds_alone() {
    for (layer, kinds) in [
        (
            "files",
            &["read a file", "read a folder", "write a file", "remove a file", "make a link", "start a program"][..],
        ),
        ("network", &["connect", "listen"]),
        ("processes", &["signal another process"]),
        ("limits", &["take memory", "read a file", "write a file"]),
        ("system calls", &QUICK[..14]),
    ] {
        for kind in kinds {
            let world = World::new();
            let output = world.attempt(kind, layer);
            assert!(!escaped(&output), "{kind} under {layer}: {output:?}");
            assert!(world.is_untouched(), "{kind} under {layer}");
        }
    }
}

/// Descriptors beyond the first three that whoever started the tests left open for every program started from here.
fn passed_on() -> usize {
    const CLOSE_ON_EXEC: u32 = 0o2_000_000;
    let is_passed_on = |number: &String| {
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap_or_default();
        let flags = info.lines().find_map(|line| u32::from_str_radix(line.strip_prefix("flags:")?.trim(), 8).ok());
        flags.is_some_and(|flags| flags & CLOSE_ON_EXEC == 0)
    };
    let numbers =
        fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    numbers.filter(|number| number.parse::<u32>().is_ok_and(|number| number > 2)).filter(is_passed_on).count()
}

/// A worker of the built command has its two pipes and nothing else that is open.
#[test]
fn a_worker_inherits_nothing() {
    let _open = fs::File::open("/etc/passwd").unwrap();
    let mut worker = Command::new(env!("CARGO_BIN_EXE_ringfence"))
        .arg("worker")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut greeting = [0; 6];
    worker.stdout.as_mut().unwrap().read_exact(&mut greeting).unwrap();
    assert_eq!(&greeting, b"ready ");
    let open = fs::read_dir(format!("/proc/{}/fd", worker.id())).unwrap().count();
    assert_eq!(open, 3 + passed_on());
    let status = fs::read_to_string(format!("/proc/{}/status", worker.id())).unwrap();
    assert!(
        status.contains("Seccomp:\t2") && status.contains("NoNewPrivs:\t1") && status.contains("Threads:\t1"),
        "{status}"
    );
    drop(worker.stdin.take());
    assert!(worker.wait().unwrap().success());
}
