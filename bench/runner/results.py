"""Medians of samples, and the file that keeps them."""
import datetime
import json
import statistics
import subprocess

from registry import ROOT

FILE = ROOT / "build/bench/results.json"


def summarize(samples, commit):
    entries = []
    for (workload, row, case, system, metric), values in samples.figures.items():
        entries.append({
            "workload": workload, "row": row, "case": case, "system": system, "metric": metric,
            "against": samples.against[workload, system], "median": statistics.median(values),
            "spread": spread(values), "samples": values, "commit": commit,
        })
    return entries


def spread(values):
    """Half the distance between the quartiles, relative to the median."""
    if len(values) < 2 or not statistics.median(values):
        return 0.0
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / 2 / abs(statistics.median(values))


def more_is_better(metric):
    return metric.endswith("_per_s")


def ahead(ours, theirs, metric):
    """How many times better the first figure is; None if that is undefined. What has no unit in its name (`trades`) counts
    what was done, and is compared with nothing."""
    if "_" not in metric:
        return None
    above, below = (ours, theirs) if more_is_better(metric) else (theirs, ours)
    return above / below if below else None


def output(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def commit():
    name = output("git", "rev-parse", "--short", "HEAD")
    changed = output("git", "status", "--porcelain", "--untracked-files=no", "--", "include", "src", "bench")
    return name + (" with changes" if changed else "")


def machine():
    def value(path, key):
        with open(path) as file:
            return next((line.split(":", 1)[1].strip() for line in file if line.startswith(key)), "")

    return {
        "cpu": value("/proc/cpuinfo", "model name"),
        "cpus": int(output("nproc") or 0),
        "memory_gib": round(int(value("/proc/meminfo", "MemTotal").split()[0]) / 2**20),
        "kernel": output("uname", "-r"),
    }


VERSIONED_PACKAGES = {
    "Boost": "libboost-fiber1.81-dev", "oneTBB": "libtbb-dev", "Go": "golang-1.23-go", "rustc": "rustc",
    "tokio": "librust-tokio-dev", "crossbeam-channel": "librust-crossbeam-channel-dev",
    "async-channel": "librust-async-channel-dev", "concurrentqueue": "libconcurrentqueue-dev",
}


def versions():
    found = {"g++": output("g++", "-dumpfullversion")}
    for name, package in VERSIONED_PACKAGES.items():
        version = output("dpkg-query", "-W", "-f=${Version}", package)
        if version:
            found[name] = version
    return found


def load(path):
    return json.loads(path.read_text()) if path.exists() else {"results": []}


def save(path, entries, kept):
    """Writes `entries`; of the `kept` ones those that were not measured again."""
    def key(entry):
        return tuple(entry[part] for part in ("workload", "row", "case", "system", "metric"))

    measured = {key(entry) for entry in entries}
    document = {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "commit": commit(), "machine": machine(), "versions": versions(),
        "results": [entry for entry in kept if key(entry) not in measured] + entries,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n")
    return document
