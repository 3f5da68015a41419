//! The target `html`: see `ringfence_fuzz::html`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ringfence_fuzz::html(data));
