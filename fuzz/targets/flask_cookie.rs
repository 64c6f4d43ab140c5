#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wiz_session::fuzzing::flask_cookie(bytes));
