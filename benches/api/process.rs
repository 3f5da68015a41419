//! What another process has used, as Linux counts it.

use std::{fs, time::Duration};

/// Ticks of a second in `/proc`, on every Linux that this runs on.
const TICKS: u64 = 100;

/// A process.
#[derive(Clone, Copy)]
pub(crate) struct Process(u32);

impl Process {
    pub(crate) const fn new(id: u32) -> Self {
        Self(id)
    }

    pub(crate) const fn id(self) -> u32 {
        self.0
    }

    /// Processor time since it started, of all its threads; what else the machine does is not in it.
    pub(crate) fn cpu(self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0)).expect("the process runs");
        // The name in brackets may hold anything; the fields begin behind it.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |index: usize| fields.get(index).and_then(|ticks| ticks.parse::<u64>().ok()).unwrap_or(0);
        Duration::from_millis((ticks(11) + ticks(12)) * 1_000 / TICKS)
    }

    /// Memory that is resident now.
    pub(crate) fn resident_mib(self) -> u64 {
        self.status("VmRSS:")
    }

    /// The most that was resident so far.
    pub(crate) fn resident_max_mib(self) -> u64 {
        self.status("VmHWM:")
    }

    fn status(self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0)).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
    }
}
