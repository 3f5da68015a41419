//! The target `border`: see `ringfence_fuzz::border`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ringfence_fuzz::border(data));
