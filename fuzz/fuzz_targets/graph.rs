//! libFuzzer's glue for [`halfproof_fuzz::targets::graph`]; without libFuzzer, runs it on the named files.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| halfproof_fuzz::targets::graph::run(data));

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    halfproof_fuzz::targets::graph::mutate(data, size, max_size, seed)
});

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_crossover!(|left: &[u8], right: &[u8], out: &mut [u8], seed: u32| {
    halfproof_fuzz::targets::graph::cross(left, right, out, seed)
});

#[cfg(not(fuzzing))]
fn main() -> std::process::ExitCode {
    halfproof_fuzz::targets::replay(halfproof_fuzz::targets::graph::run)
}
