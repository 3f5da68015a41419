//! The target `json`: see `ringfence_fuzz::json_file`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ringfence_fuzz::json_file(data));
