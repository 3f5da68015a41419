//! How a worker shuts itself in: landlock, resource limits, seccomp. Each alone stops most of what a parser that was taken over would try; together they leave it two pipes.
//!
//! Order matters: landlock needs a descriptor for a moment, limits forbid new ones, seccomp forbids everything else. None of it can be undone from within.

use std::collections::BTreeMap;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetError, RulesetStatus, Scope,
};
use rustix::process::{Resource, Rlimit, setrlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

use super::protection::{Protection, Protections};

/// All memory of a worker, its program included.
const MEMORY_BYTES: u64 = 256 << 20;
/// Processor time for one document.
const PROCESSOR_SECONDS: u64 = 10;
/// Standard input, output and error are open already.
const DESCRIPTORS: u64 = 3;

/// Shuts the process in as far as the kernel can, for good. The process must have one thread.
#[must_use]
pub fn confine() -> Protections {
    let mut protections = Protections::default();
    let mut enforce = |protection, enforced: bool| {
        if enforced {
            protections.insert(protection);
        }
    };
    enforce(Protection::Files, close_files());
    enforce(Protection::Network, close_network());
    enforce(Protection::Processes, close_processes());
    enforce(Protection::Limits, limit().is_ok());
    enforce(Protection::SystemCalls, filter_system_calls().is_some());
    protections
}

/// No file may be opened, made, renamed or removed.
#[must_use]
pub fn close_files() -> bool {
    // What later versions add (devices, sockets by path) is taken where it is there; V3 is what counts as whole.
    let best = Ruleset::default().set_compatibility(CompatLevel::BestEffort).handle_access(AccessFs::from_all(ABI::V5));
    let whole =
        Ruleset::default().set_compatibility(CompatLevel::BestEffort).handle_access(AccessFs::from_all(ABI::V3));
    let _ = enforce(best);
    enforce(whole)
}

/// No TCP port may be bound or connected to.
#[must_use]
pub fn close_network() -> bool {
    enforce(Ruleset::default().set_compatibility(CompatLevel::BestEffort).handle_access(AccessNet::from_all(ABI::V4)))
}

/// No signal and no abstract socket may reach another process.
#[must_use]
pub fn close_processes() -> bool {
    enforce(Ruleset::default().set_compatibility(CompatLevel::BestEffort).scope(Scope::from_all(ABI::V6)))
}

/// Enforces a set of rules that allows nothing; says whether the kernel knew all of it.
fn enforce(ruleset: Result<Ruleset, RulesetError>) -> bool {
    let status = ruleset.and_then(Ruleset::create).and_then(landlock::RulesetCreated::restrict_self);
    status.is_ok_and(|status| status.ruleset == RulesetStatus::FullyEnforced)
}

/// Bounds memory, processor time, files and processes.
///
/// # Errors
/// Where a limit cannot be set.
pub fn limit() -> rustix::io::Result<()> {
    let limits = [
        (Resource::As, MEMORY_BYTES),
        (Resource::Cpu, PROCESSOR_SECONDS),
        (Resource::Fsize, 0),
        (Resource::Core, 0),
        (Resource::Nproc, 0),
        (Resource::Memlock, 0),
        (Resource::Msgqueue, 0),
        (Resource::Nofile, DESCRIPTORS),
    ];
    limits.into_iter().try_for_each(|(resource, most)| {
        // Out of processor time a process is told so first, by a signal that says what happened; a second later it is killed.
        let last = if resource == Resource::Cpu { most + 1 } else { most };
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(last) })
    })
}

/// Ends the process at any system call that a parser has no need of. `None` if there is no such filter.
#[must_use]
pub fn filter_system_calls() -> Option<()> {
    let allowed = allowed_calls()?;
    let architecture = std::env::consts::ARCH.try_into().ok()?;
    let filter = SeccompFilter::new(allowed, SeccompAction::KillProcess, SeccompAction::Allow, architecture).ok()?;
    let program: BpfProgram = filter.try_into().ok()?;
    seccompiler::apply_filter(&program).ok()
}

/// What a parser needs: its two pipes, memory that is not executable, a clock, randomness for its maps, an end.
fn allowed_calls() -> Option<BTreeMap<i64, Vec<SeccompRule>>> {
    let argument = |index, operator, value: i32| {
        let value = u64::from(value.unsigned_abs());
        SeccompCondition::new(index, SeccompCmpArgLen::Dword, operator, value).ok()
    };
    let rule = |condition: SeccompCondition| SeccompRule::new(vec![condition]).ok();
    let descriptor = |number: i32| argument(0, SeccompCmpOp::Eq, number).and_then(rule);
    let no_code = || {
        let mask = u64::from(libc::PROT_EXEC.unsigned_abs());
        argument(2, SeccompCmpOp::MaskedEq(mask), 0).and_then(rule)
    };
    let mut allowed = BTreeMap::from([
        (libc::SYS_read, vec![descriptor(0)?]),
        (libc::SYS_write, vec![descriptor(1)?, descriptor(2)?]),
        (libc::SYS_mmap, vec![no_code()?]),
        (libc::SYS_mprotect, vec![no_code()?]),
    ]);
    let free = [
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_madvise,
        libc::SYS_brk,
        libc::SYS_futex,
        libc::SYS_getrandom,
        libc::SYS_clock_gettime,
        libc::SYS_rt_sigreturn,
        libc::SYS_rt_sigprocmask,
        libc::SYS_sigaltstack,
        libc::SYS_close,
        libc::SYS_exit,
        libc::SYS_exit_group,
    ];
    allowed.extend(free.map(|call| (call, Vec::new())));
    Some(allowed)
}
