//! The target `pptx`: see `ringfence_fuzz::pptx`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ringfence_fuzz::pptx(data));
