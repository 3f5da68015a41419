//! What is fuzzed: one function a target, which takes any bytes and panics where a promise does not hold.
//!
//! libFuzzer runs them from `fuzz_targets/` (`cargo xtask fuzz`); `tests/it/fuzz` includes the two files and runs the same functions from the committed seeds without it.

mod documents;
#[cfg(feature = "envelope")]
mod envelope;

pub use documents::*;
#[cfg(feature = "envelope")]
pub use envelope::envelope;
