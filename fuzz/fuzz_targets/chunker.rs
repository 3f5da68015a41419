//! The target `chunker`: see `ringfence_fuzz::chunker`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ringfence_fuzz::chunker(data));
