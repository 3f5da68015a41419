//! The target `envelope`: see `ringfence_fuzz::envelope`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ringfence_fuzz::envelope(data));
