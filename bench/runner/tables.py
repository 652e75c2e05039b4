"""Prints results: as text for a terminal, as Markdown for docs/performance.md."""
from results import ahead


def figure(value):
    if value == 0 or abs(value) >= 1e15:
        return f"{value:g}"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def cases(entries):
    """{(workload, row, case, metric): {system: entry}}, in the order of measurement."""
    found = {}
    for entry in entries:
        key = (entry["workload"], entry["row"], entry["case"], entry["metric"])
        found.setdefault(key, {})[entry["system"]] = entry
    return found


def reference(systems, metric):
    """What the others are compared with: spool, or the best of what its name begins."""
    if "spool" in systems:
        return systems["spool"]
    ours = [entry for name, entry in systems.items() if name.startswith("spool")]
    if not ours:
        return None
    return max(ours, key=lambda entry: ahead(entry["median"], ours[0]["median"], metric) or 0)


def ratio(ours, theirs, metric):
    if ours is None or ours is theirs:
        return ""
    times = ahead(ours["median"], theirs["median"], metric)
    return "" if times is None else f"{times:.2f}x"


def text(entries):
    lines = []
    for (workload, row, case, metric), systems in cases(entries).items():
        ours = reference(systems, metric)
        lines.append(f"{row}  {case}  {metric}".replace("    ", "  "))
        for name, entry in systems.items():
            spread = f"±{100 * entry['spread']:.0f} %"
            lines.append(f"    {name:<28} {figure(entry['median']):>12} {spread:>7} {ratio(ours, entry, metric):>9}")
    lines.append("x: how many times better spool is (below 1: worse); ±: half the distance between the quartiles")
    return "\n".join(lines)


def markdown(entries):
    """One table per workload: a line per case and metric, a column per system."""
    by_workload = {}
    for key, systems in cases(entries).items():
        by_workload.setdefault(key[0], []).append((key, systems))
    parts = []
    for workload, lines in by_workload.items():
        names = list(dict.fromkeys(name for _, systems in lines for name in systems))
        names.sort(key=lambda name: not name.startswith("spool"))
        parts.append(f"### {workload}\n")
        parts.append("| row | case | unit | " + " | ".join(names) + " |")
        parts.append("|---|---|---|" + "--:|" * len(names))
        for (_, row, case, metric), systems in lines:
            ours = reference(systems, metric)
            cells = []
            for name in names:
                entry = systems.get(name)
                if entry is None:
                    cells.append("")
                    continue
                times = ratio(ours, entry, metric)
                cells.append(f"{figure(entry['median'])} ±{100 * entry['spread']:.0f} %" + (f" ({times})" if times else ""))
            parts.append(f"| {row} | {case} | {metric} | " + " | ".join(cells) + " |")
        parts.append("")
    return "\n".join(parts)


def losses(entries):
    """The cases where another system is ahead of spool, worst first."""
    found = []
    for (_, row, case, metric), systems in cases(entries).items():
        ours = reference(systems, metric)
        if ours is None:
            continue
        for name, entry in systems.items():
            times = ahead(ours["median"], entry["median"], metric)
            if not name.startswith("spool") and times is not None and times < 1:
                found.append((times, f"{row} {case} {metric}: {figure(ours['median'])}, {name} {figure(entry['median'])}"))
    return [f"{line} ({times:.2f}x)" for times, line in sorted(found)]
