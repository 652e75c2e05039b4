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
        self.against = {}  # (workload, system): the system of ours that it is compared with
        self.failures = []

    def add(self, workload, line):
        for metric, value in line["metrics"].items():
            key = (workload.name, line["row"], line["case"], line["system"], metric)
            self.figures.setdefault(key, []).append(value)
        self.against[workload.name, line["system"]] = workload.against.get(line["system"], "spool")


def run_row(workload, row, rounds, places, samples):
    """One process at a time; the order of the programs turns round from pass to pass: A B C C B A."""
    commands = [(command.for_row(row, places), command.is_google_benchmark) for command in workload.commands]
    failed = set()
    for _ in range(rounds):
        for turn in [*range(len(commands)), *reversed(range(len(commands)))]:
            if turn in failed:
                continue
            try:
                for line in call(*commands[turn]):
                    samples.add(workload, line)
            except (subprocess.SubprocessError, ValueError, KeyError, OSError) as error:
                failed.add(turn)
                samples.failures.append(f"{' '.join(commands[turn][0])}: {error}")
                say(f"{error}\n{getattr(error, 'stderr', None) or ''}")


def call(words, is_google_benchmark):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=True,
                          timeout=TIMEOUT_SECONDS)
    return google_benchmark(done.stdout) if is_google_benchmark else protocol(done.stdout)


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
