"""bench/plot: SVG charts of what bench/run wrote, one per workload: how many times better than each rival spool is. Those of
growth are bench/growth/plot's."""
import argparse
import math
import pathlib
import subprocess
import sys
from xml.sax.saxutils import escape

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
TICKS = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100]
WIDTH, LEFT, RIGHT, TOP, BOTTOM = 900, 330, 30, 60, 40
PITCH, BAR = 9, 7  # from bar to bar, and a bar's height


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


def text(x, y, words, size=11, anchor="start"):
    return f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" text-anchor="{anchor}">{escape(words)}</text>'


def draw(title, lines):
    """Bars from 1 to the ratio: to the right spool is better, to the left it is worse."""
    rivals = [family for family in FAMILIES if any(family in times for _, times in lines)]
    colors = dict(zip(FAMILIES, COLORS))
    shown = [0.5, 2] + [ratio for _, times in lines for ratio in times.values()]
    low, high = max(t for t in TICKS if t <= min(shown)), min(t for t in TICKS if t >= max(shown))
    bottom = TOP + PITCH * sum(len(times) + 1 for _, times in lines)
    x = lambda v: LEFT + math.log(v / low) / math.log(high / low) * (WIDTH - LEFT - RIGHT)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{bottom + BOTTOM}" '
           'font-family="sans-serif">',
           '<rect width="100%" height="100%" fill="white"/>', text(LEFT, 20, title, 14)]
    for i, name in enumerate(rivals):
        at = LEFT + i * (WIDTH - LEFT - RIGHT) / len(rivals)
        out += [f'<rect x="{at:.0f}" y="31" width="10" height="10" fill="{colors[name]}"/>', text(at + 13, 40, name, 10)]
    for tick in [t for t in TICKS if low <= t <= high]:
        out.append(f'<path d="M{x(tick):.1f} {TOP - 8}V{bottom}" stroke="{"black" if tick == 1 else "#ddd"}"/>')
        out.append(text(x(tick), bottom + 14, f"{tick:g}x", 10, "middle"))
    below = "how many times better spool is (left of 1: worse)"
    out.append(text((LEFT + WIDTH - RIGHT) / 2, bottom + 32, below, 11, "middle"))
    y = TOP
    for label, times in lines:
        present = [name for name in rivals if name in times]
        out.append(text(LEFT - 8, y + PITCH * len(present) / 2 + 3, label, 10, "end"))
        for name in present:
            begin, end = sorted((x(1), x(times[name])))
            out.append(f'<rect x="{begin:.1f}" y="{y}" width="{end - begin:.1f}" height="{BAR}" fill="{colors[name]}"/>')
            y += PITCH
        y += PITCH
    return "\n".join(out + ["</svg>\n"])


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
        if workload == "growth":  # curves, without rivals
            subprocess.run([registry.ROOT / "bench/growth/plot", options.to, options.results], check=True)
            continue
        entries = [entry for entry in document["results"] if entry["workload"] == workload]
        # A million of anything has two threads; so have the rest of the charts: one thread is in the tables.
        lines = comparable(entries, "threads:2" if workload == "micro" else "")
        if lines:
            chart = options.to / f"{workload}.svg"
            chart.write_text(draw(f"{workload}, {document['commit']}", lines))
            print(chart)


main()
