#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hookhaven_fuzz::redact::run(data));
