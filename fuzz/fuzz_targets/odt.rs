//! The target `odt`: see `ringfence_fuzz::odt`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ringfence_fuzz::odt(data));
