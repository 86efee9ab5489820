//! Feeds `idx` with libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vae_fuzz::idx(data));
