//! The target `xlsx`: see `ringfence_fuzz::xlsx`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ringfence_fuzz::xlsx(data));
