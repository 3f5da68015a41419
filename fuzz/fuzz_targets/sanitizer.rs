//! The target `sanitizer`: see `ringfence_fuzz::sanitizer`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ringfence_fuzz::sanitizer(data));
