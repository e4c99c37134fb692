#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| oe_fuzz::embedded(data));
