"""Runs the programs of a row in turns and collects what they print."""
import json
import subprocess
import sys

TIMEOUT_SECONDS = 300


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


class Samples:
    """Figures by (workload, row, case, system, metric), in the order of the programs."""

    def __init__(self):
        self.figures = {}
        self.failures = []

    def add(self, workload, line):
        for metric, value in line["metrics"].items():
            key = (workload, line["row"], line["case"], line["system"], metric)
            self.figures.setdefault(key, []).append(value)


def run_row(workload, row, rounds, places, samples):
    commands = [command.for_row(row, places) for command in workload.commands]
    failed = set()
    for _ in range(rounds):
        for turn in [*range(len(commands)), *reversed(range(len(commands)))]:
            if turn in failed:
                continue
            words = commands[turn]
            try:
                done = subprocess.run(words, stdout=subprocess.PIPE, timeout=TIMEOUT_SECONDS, check=True, text=True,
                                      stderr=subprocess.PIPE)
                read = google_benchmark if workload.commands[turn].is_google_benchmark else protocol
                lines = read(done.stdout)
            except subprocess.SubprocessError as error:
                failed.add(turn)
                samples.failures.append(f"{' '.join(words)}: {error}")
                say(f"{error}\n{(getattr(error, 'stderr', None) or '')}")
                continue
            for line in lines:
                samples.add(workload.name, line)


def protocol(text):
    return [json.loads(line) for line in text.splitlines() if line.strip()]


# What spool_bench calls its counters, in the protocol's units. `per_op` is in seconds.
COUNTERS = {
    "per_op": ("op_ns", 1e9),
    "bytes_each": ("each_bytes", 1),
    "park_seconds": ("park_s", 1),
    "cpu_percent": ("cpu_percent", 1),
}
# Parts of a benchmark's name that say how it was measured, not what.
CLOCKS = ("process_time", "real_time", "manual_time", "iterations:", "repeats:")


def google_benchmark(text):
    if not text.strip():
        return []  # no benchmark of that name
    lines = []
    for entry in json.loads(text)["benchmarks"]:
        if entry.get("run_type") == "aggregate" or entry.get("error_occurred"):
            continue
        row, system, *arguments = entry["name"].split("/")
        arguments = [part for part in arguments if not part.startswith(CLOCKS)]
        if not arguments or not arguments[0].startswith("threads:"):
            # Boost.Fiber's default scheduler has one thread. Threads and what has no threads: on both CPUs.
            one = system.startswith("boost_fiber") and not system.endswith("_stealing2")
            arguments.insert(0, "threads:1" if one else "threads:2")
        system = system.replace("_stealing2", "").replace("boost_fiber_condition", "boost_fiber")
        metrics = {name: entry[counter] * factor for counter, (name, factor) in COUNTERS.items() if counter in entry}
        lines.append({"row": row, "case": " ".join(arguments), "system": system, "metrics": metrics})
    return lines
