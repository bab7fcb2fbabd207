//! libFuzzer's glue for [`halfproof_fuzz::targets::onnx_bytes`]; without libFuzzer, runs it on the named files.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| halfproof_fuzz::targets::onnx_bytes::run(data));

#[cfg(not(fuzzing))]
fn main() -> std::process::ExitCode {
    halfproof_fuzz::targets::replay(halfproof_fuzz::targets::onnx_bytes::run)
}
