//! Revocation, replayed: everything that was written and read is recorded, and checked against the oracle when it is over.
//!
//! [`history`] is the record, [`world`] writes and [`reading`] reads, [`topic`] and the oracle say what a state shows, [`check`] says which answers no state explains. [`race`] makes long histories, [`schedules`] short ones in every order that failpoints can force; failpoints are in builds with debug assertions only, so the long form of the latter is `cargo xtask deep schedules`, which is not optimised.

mod check;
#[cfg(debug_assertions)]
mod gate;
mod history;
mod race;
mod reading;
#[cfg(debug_assertions)]
mod schedules;
mod topic;
mod world;

/// A build has failpoints if it has debug assertions, and not otherwise.
#[test]
fn a_release_build_has_no_failpoints() {
    assert_eq!(ringfence_indexes::failpoint::IS_BUILT, cfg!(debug_assertions));
}
