//! The target `undeclared`: see `ringfence_fuzz::undeclared`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ringfence_fuzz::undeclared(data));
