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

build=${HALFPROOF_FUZZ_BUILD:-target/fuzzing}
for glue in fuzz/fuzz_targets/*.rs; do
    target=$(basename "$glue" .rs)
    cargo fuzz build --fuzz-dir fuzz --target-dir "$build" -s "$sanitizer" "$target"
    cp "$build/x86_64-unknown-linux-gnu/release/$target" "$OUT/"
    if [ -d "corpus/seeds/$target" ]; then
        python3 -m zipfile -c "$OUT/${target}_seed_corpus.zip" "corpus/seeds/$target"/*
    fi
done
