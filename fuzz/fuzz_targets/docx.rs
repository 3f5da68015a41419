//! The target `docx`: see `ringfence_fuzz::docx`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ringfence_fuzz::docx(data));
