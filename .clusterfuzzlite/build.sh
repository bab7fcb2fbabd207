#!/usr/bin/env bash
# Builds the fuzz targets for ClusterFuzzLite and OSS-Fuzz, which set SRC, OUT and SANITIZER (docs/operations.md shows the
# same by hand). Each target comes with its seeds as TARGET_seed_corpus.zip.
set -euo pipefail
cd "$SRC/halfproof"

# Rust has address and memory sanitizers among those that ClusterFuzzLite asks for; the others mean coverage alone.
case "${SANITIZER:-address}" in
    address | memory) sanitizer=$SANITIZER ;;
    *) sanitizer=none ;;
esac
# Sanitizers are for nightly Rust only; the image of OSS-Fuzz names the one that it has.
if [ "$sanitizer" != none ]; then
    export RUSTUP_TOOLCHAIN=${RUSTUP_TOOLCHAIN:-nightly}
fi

build=${HALFPROOF_FUZZ_BUILD:-target/fuzzing}
for glue in fuzz/fuzz_targets/*.rs; do
    target=$(basename "$glue" .rs)
    cargo fuzz build --fuzz-dir fuzz --target-dir "$build" -s "$sanitizer" "$target"
    cp "$build/x86_64-unknown-linux-gnu/release/$target" "$OUT/"
    # Whole files, and those that once crashed the target (halfproof_fuzz::targets lists the same folders).
    folders=("corpus/seeds/$target")
    case $target in
        onnx_bytes | round_trip) folders+=(converter/wire/tests/data/onnx) ;;
        tflite_bytes | interpreter) folders+=(converter/wire/tests/data) ;;
    esac
    mapfile -t seeds < <(find "${folders[@]}" -maxdepth 1 -type f ! -name '*.txt' ! -name '*.py' 2> /dev/null | sort)
    if [ ${#seeds[@]} -gt 0 ]; then
        python3 -m zipfile -c "$OUT/${target}_seed_corpus.zip" "${seeds[@]}"
    fi
done
