"""bench/plot: SVG charts of what bench/run wrote, one per workload: how many times better than each rival spool is."""
import argparse
import pathlib
import sys

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "spool"})  # the same figures give the same file
from matplotlib import pyplot, ticker

import registry
import results
import tables

# Rivals by what their names begin with; of a family the best is drawn.
FAMILIES = {
    "go": ("go",), "tokio": ("tokio",), "crossbeam": ("crossbeam",), "boost_fiber": ("boost_fiber",), "asio": ("asio",),
    "tbb": ("tbb",), "std_thread": ("std_", "mutex"), "concurrentqueue": ("concurrentqueue",), "other": ("",),
}
COLORS = ["#00add8", "#aa3333", "#dd9988", "#777777", "#6a3d9a", "#e69f00", "#33a02c", "#b15928", "#333333"]
NARROWEST, WIDEST = 1 / 20, 100  # what is beyond is cut off; the tables have it
BAR = 0.8


def family_of(name):
    return next(family for family, begins in FAMILIES.items() if name.startswith(begins))


def comparable(entries, wanted):
    """[(label, {family: times})] of the cases that have both spool and a rival and whose label has the wanted text."""
    lines = []
    for (_, row, case, metric), systems in tables.cases(entries).items():
        label = f"{row} {case}" if metric in ("op_ns", "job_ns") else f"{row} {case} {metric}"
        times = {}
        for name in systems:
            compared = tables.ratio(systems, name, metric)
            if compared and compared[1] > 0:
                family = family_of(name)
                times[family] = min(times.get(family, WIDEST), max(compared[1], NARROWEST))
        if times and wanted in label:
            lines.append((label, times))
    return lines


def draw(title, lines, path):
    rivals = [family for family in FAMILIES if any(family in times for _, times in lines)]
    colors = dict(zip(FAMILIES, COLORS))
    bars = sum(len(times) + 1 for _, times in lines)
    figure, axes = pyplot.subplots(figsize=(9, 1.5 + 0.1 * bars))
    top, places = 0.0, []
    for _, times in lines:
        present = [name for name in rivals if name in times]
        for i, name in enumerate(present):
            # From 1 to the ratio: to the right spool is better, to the left it is worse.
            axes.barh(top + i, times[name] - 1, left=1, height=BAR, color=colors[name])
        places.append(top + (len(present) - 1) / 2)
        top += len(present) + 1
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}x"))
    axes.axvline(1, color="black", linewidth=1)
    axes.set_yticks(places, [label for label, _ in lines], fontsize=7)
    axes.set_ylim(top - 0.5, -1)
    axes.grid(axis="x", which="major", linewidth=0.4)
    axes.set_xlabel("how many times better spool is (left of 1: worse)", fontsize=8)
    axes.set_title(title, fontsize=10)
    handles = [pyplot.Rectangle((0, 0), 1, 1, color=colors[name]) for name in rivals]
    axes.legend(handles, rivals, fontsize=7, loc="lower right")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def main():
    parser = argparse.ArgumentParser(prog="bench/plot", description="Draws charts of what bench/run measured.")
    parser.add_argument("--results", type=pathlib.Path, metavar="FILE", default=results.FILE)
    parser.add_argument("--to", type=pathlib.Path, default=registry.ROOT / "docs/performance", metavar="DIR")
    options = parser.parse_args()
    document = results.load(options.results)
    if not document["results"]:
        sys.exit(f"bench: nothing in {options.results}; run bench/run first")
    options.to.mkdir(parents=True, exist_ok=True)
    for workload in dict.fromkeys(entry["workload"] for entry in document["results"]):
        entries = [entry for entry in document["results"] if entry["workload"] == workload]
        # A million of anything has two threads; so have the rest of the charts: one thread is in the tables.
        lines = comparable(entries, "threads:2" if workload == "micro" else "")
        if lines:
            draw(f"{workload}, {document['commit']}", lines, options.to / f"{workload}.svg")
            print(options.to / f"{workload}.svg")


main()
