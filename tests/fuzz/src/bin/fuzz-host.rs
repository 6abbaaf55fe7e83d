//! Fuzzes `mc_fuzz::host`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mc_fuzz::host(data));
