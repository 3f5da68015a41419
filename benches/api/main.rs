//! Benchmarks through the API: a real server in this process, asked over HTTP with authentication and audit on.
//!
//! `cargo xtask bench api serving` and `cargo xtask bench api quality`; each module says what it measures and which arguments it takes.

mod client;
mod quality;
mod report;
mod server;
mod serving;
mod workload;

fn main() {
    // cargo adds `--bench`.
    let name = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    match name.as_deref() {
        Some("serving") => serving::run(),
        Some("quality") => quality::run(),
        _ => report::say("say which: `cargo xtask bench api serving` or `cargo xtask bench api quality --data FOLDER`"),
    }
}
