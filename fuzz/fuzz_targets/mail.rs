//! The target `mail`: see `ringfence_fuzz::mail`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ringfence_fuzz::mail(data));
