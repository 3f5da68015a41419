//! The target `text`: see `ringfence_fuzz::text`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ringfence_fuzz::text(data));
