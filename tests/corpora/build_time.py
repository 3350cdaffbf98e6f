"""Measures generating and compiling 100 services, with Broach and with tonic in turns.

    build_time.py DIR [--rounds N]

Writes two packages with the same .proto (100 services of 5 methods) to DIR, builds both once, and
then measures `cargo build` of each in turns: from nothing but its dependencies, and after a field
and after a comment has changed in the .proto. Prints the least of each, in seconds.
"""

import argparse
import os
import pathlib
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]

BROACH = f"""
[dependencies]
broach-core = {{ path = "{ROOT}/broach-core" }}

[build-dependencies]
broach-build = {{ path = "{ROOT}/broach-build" }}
"""

TONIC = """
[dependencies]
prost = "0.14"
tonic = "0.14"
tonic-prost = "0.14"

[build-dependencies]
protox = "0.10"
tonic-prost-build = "0.14"
"""

BROACH_BUILD = """
fn main() -> Result<(), broach_build::Error> {
    broach_build::compile(&["proto/big.proto"])
}
"""

TONIC_BUILD = """
fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto/big.proto");
    let files = protox::compile(["proto/big.proto"], ["proto"])?;
    tonic_prost_build::configure().compile_fds(files)?;
    Ok(())
}
"""

PACKAGES = {
    "broach": (BROACH, BROACH_BUILD, "broach_core::include_protos!();\n"),
    "tonic": (TONIC, TONIC_BUILD, 'pub mod big { tonic::include_proto!("big"); }\n'),
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("dir", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    packages = {}
    for name, (dependencies, build, lib) in PACKAGES.items():
        package = options.dir / name
        (package / "src").mkdir(parents=True, exist_ok=True)
        (package / "proto").mkdir(exist_ok=True)
        (package / "Cargo.toml").write_text(
            f'[package]\nname = "big-{name}"\nversion = "0.0.0"\nedition = "2024"\n'
            f"{dependencies}\n[workspace]\n"
        )
        (package / "build.rs").write_text(build)
        (package / "src/lib.rs").write_text(lib)
        write_proto(package, "text", "")
        cargo(package, "build")
        packages[name] = package

    times = {}
    for number in range(options.rounds):
        for name, package in packages.items():
            cargo(package, "clean", "-p", f"big-{name}")
            note(times, name, "from nothing", package)
            write_proto(package, f"changed{number}", "")
            note(times, name, "a field has changed", package)
            write_proto(package, f"changed{number}", f"// Round {number}.\n")
            note(times, name, "a comment has changed", package)
    lines = {name: sum(len(file.read_text().splitlines())
                       for file in package.glob("target/debug/build/big-*/out/**/*.rs"))
             for name, package in packages.items()}
    print(f"{'':24}" + "".join(f"{name:>10}" for name in packages))
    print(f"{'lines generated':24}" + "".join(f"{lines[name]:10}" for name in packages))
    for what in ["from nothing", "a field has changed", "a comment has changed"]:
        print(f"{what:24}" + "".join(f"{min(times[name, what]):10.2f}" for name in packages))


def note(times, name, what, package):
    start = time.monotonic()
    cargo(package, "build")
    times.setdefault((name, what), []).append(time.monotonic() - start)


def cargo(package, *arguments):
    environment = {**os.environ, "CARGO_TARGET_DIR": str(package / "target")}
    subprocess.run(["cargo", *arguments, "--quiet"], cwd=package, check=True, env=environment)


def write_proto(package, field, comment):
    lines = ['syntax = "proto3";', f"{comment}package big;"]
    for service in range(100):
        lines.append(f"message Request{service} {{ string {field} = 1; int64 number = 2; }}")
        lines.append(f"message Reply{service} {{ repeated Request{service} all = 1; }}")
        lines.append(f"// Does things.\nservice Service{service} {{")
        for method in range(5):
            stream = "stream " if method == 4 else ""
            lines.append(f"  // Does one of them.\n  rpc Do{method}(Request{service}) returns "
                         f"({stream}Reply{service});")
        lines.append("}")
    (package / "proto/big.proto").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
