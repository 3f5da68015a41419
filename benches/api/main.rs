//! Benchmarks through the API: a real server in a process of its own, asked over HTTP with authentication and audit on.
//!
//! `cargo xtask bench api NAME`; each module says what it measures and which arguments it takes.

mod client;
mod process;
mod quality;
mod report;
mod server;
mod serving;
mod stress;
mod timing;

fn main() {
    // cargo adds `--bench`.
    let name = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    match name.as_deref() {
        Some("serving") => serving::run(),
        Some("quality") => quality::run(),
        Some("stress") => stress::run(),
        Some("timing") => timing::run(),
        _ => report::say("say which: `cargo xtask bench api serving`, `quality --data FOLDER`, `stress` or `timing`"),
    }
}
