//! The target `rtf`: see `ringfence_fuzz::rtf`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ringfence_fuzz::rtf(data));
