"""Compares results with the lines of bench/targets."""
import fnmatch
import shlex

from registry import BENCH
from results import ahead
from tables import figure


def check(entries):
    """Lines of text: each target that something was measured for, whether it holds, and the figures; misses first."""
    found = {}
    for entry in entries:
        found[entry["row"], entry["case"], entry["system"], entry["metric"]] = entry["median"]
    lines = []
    for line in (BENCH / "targets").read_text().splitlines():
        words = shlex.split(line, comments=True)
        if words:
            lines += judge(words, found)
    return sorted(lines, key=lambda line: line.startswith("holds"))


def judge(words, found):
    system, row, case, metric, relation, bound, *other = words
    verdicts = []
    for (a_row, a_case, a_system, a_metric), ours in found.items():
        patterns = ((a_row, row), (a_case, case), (a_metric, metric))
        if a_system != system or not all(fnmatch.fnmatchcase(name, pattern) for name, pattern in patterns):
            continue
        name = f"{a_row} {a_case} {a_metric}"
        if not other:  # system row case metric <= FIGURE
            holds = ours <= float(bound) if relation == "<=" else ours >= float(bound)
            verdicts.append((holds, f"{name}: {system} {figure(ours)}, wanted {relation} {bound}"))
            continue
        # system row case metric >= TIMESx OTHER [@ CASE]
        other_case = other[2] if len(other) == 3 else a_case
        theirs = found.get((a_row, other_case, other[0], a_metric))
        if theirs is None:
            continue
        times = ahead(ours, theirs, a_metric)
        versus = other[0] + (f" at {other_case}" if len(other) == 3 else "")
        holds = times is not None and times >= float(bound.rstrip("x"))
        shown = "-" if times is None else f"{times:.2f}x"
        verdicts.append((holds, f"{name}: {system} {figure(ours)}, {versus} {figure(theirs)}: {shown}, wanted {bound}"))
    return [("holds   " if holds else "MISSES  ") + line for holds, line in verdicts]
