//! The target `pdf`: see `ringfence_fuzz::pdf`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ringfence_fuzz::pdf(data));
