"""Lets the torch wheel of the package registry start on a machine without CUDA and without its CUDA wheels (some GB).

    python stubs.py SITE_PACKAGES

The wheel's libraries name CUDA's as needed, and the loader refuses to start without them, though a CPU never calls into
them. This compiles small libraries with the same names, versions and symbols beside torch's own; every function in them
answers with an error code, so that torch sees a machine without a device.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

# What a Linux system brings along.
SYSTEM = re.compile(r"^(lib(c|m|dl|rt|pthread|gcc_s|stdc\+\+|util)\.so|ld-linux)")
# How the functions of CUDA's libraries are called.
FOREIGN = re.compile(r"^(cu[a-zA-Z]|nccl|nv)")


def tool(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def main():
    folder = pathlib.Path(sys.argv[1]) / "torch" / "lib"
    libraries = sorted(folder.glob("*.so*"))
    own = {p.name for p in libraries}
    needed, wanted, defined = set(), {}, set()
    for library in libraries:
        for line in tool("readelf", "-dW", library):
            name = re.search(r"NEEDED.*\[(.*)\]", line)
            if name and name[1] not in own and not SYSTEM.match(name[1]):
                needed.add(name[1])
        for line in tool("nm", "-D", "--undefined-only", library):
            symbol, _, version = line.split()[-1].partition("@")
            wanted.setdefault(version.lstrip("@"), set()).add(symbol)
        defined |= {line.split()[-1].partition("@")[0] for line in tool("nm", "-D", "--defined-only", library)}
    # Symbols without a version may come from any library; one of them gets them all.
    loose = {s for s in wanted.get("", ()) if FOREIGN.match(s)} - defined
    for name in sorted(needed):
        version = name if name in wanted else "NVSHMEM" if "nvshmem" in name else None
        symbols = wanted.get(version, set()) if version else loose if name.startswith("libnccl") else set()
        stub(folder / name, version, sorted(symbols))
    print(f"{len(needed)} libraries that only a graphics card needs are stubs")


def stub(path, version, symbols):
    with tempfile.TemporaryDirectory() as scratch:
        source = pathlib.Path(scratch) / "stub.c"
        aliases = (f'long {s}(void) __attribute__((alias("answer")));\n' for s in symbols)
        # 100 is cudaErrorNoDevice.
        source.write_text("long answer(void) { return 100; }\n" + "".join(aliases))
        command = ["cc", "-shared", "-fPIC", "-O1", "-w", f"-Wl,-soname,{path.name}", "-o", str(path), str(source)]
        if version:
            versions = pathlib.Path(scratch) / "versions"
            versions.write_text(f"{version} {{ global: *; }};\n")
            command.append(f"-Wl,--version-script={versions}")
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
