//! The target `label`: see `ringfence_fuzz::label`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ringfence_fuzz::label(data));
