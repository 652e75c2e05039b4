"""Builds what workloads run: CMake targets, Go programs, Cargo projects from Debian's packaged crates."""
import os
import shutil
import subprocess

from registry import ROOT, Mistake
from sampling import say

GO = "/usr/lib/go-1.23/bin/go"
CRATES = "/usr/share/cargo/registry"


def packages(workloads):
    needed = []
    for workload in workloads:
        needed += workload.packages
        if workload.go:
            needed.append("golang-1.23-go")
        if workload.rust:
            needed += ["rustc", "cargo"]
    return list(dict.fromkeys(needed))


def build(workloads, cmake_dir, programs):
    programs.mkdir(parents=True, exist_ok=True)
    targets = sorted({target for workload in workloads for target in workload.cmake})
    if targets:
        run("cmake", cmake_dir)  # what was installed since it was configured is found
        run("cmake", "--build", cmake_dir, "--target", *targets)
    for workload in workloads:
        for name, folder in workload.go.items():
            build_go(folder, programs / name)
        for name, folder in workload.rust.items():
            build_rust(name, folder, programs)


def build_go(folder, program):
    settings = {"GO111MODULE": "off", "GOTOOLCHAIN": "local", "GOPATH": "/usr/share/gocode",
                "GOCACHE": str(ROOT / "build/bench/go-cache")}
    run(GO, "build", "-tags", "libsqlite3", "-o", program, ".", cwd=folder, env={**os.environ, **settings})


def build_rust(name, folder, programs):
    """In a copy: cargo writes beside the sources."""
    copy = ROOT / "build/bench/rust" / name
    shutil.copytree(folder, copy, dirs_exist_ok=True)
    # The packaged cargo and rustc, whatever else is installed.
    environment = {**os.environ, "PATH": "/usr/bin:" + os.environ["PATH"], "RUSTC": "/usr/bin/rustc"}
    run("/usr/bin/cargo", "build", "--quiet", "--release", "--offline",
        "--config", 'source.crates-io.replace-with="debian"', "--config", f'source.debian.directory="{CRATES}"',
        cwd=copy, env=environment)
    shutil.copy2(copy / "target/release" / name, programs / name)


def run(*words, **settings):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **settings)
    if done.returncode:
        say(done.stdout)
        raise Mistake(f"failed: {' '.join(map(str, words))}")
