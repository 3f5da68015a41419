//! The target `redactor`: see `ringfence_fuzz::redactor`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ringfence_fuzz::redactor(data));
