//! The target `markdown`: see `ringfence_fuzz::markdown`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ringfence_fuzz::markdown(data));
