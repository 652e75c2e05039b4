"""Prints results: as text for a terminal, as Markdown for docs/performance.md."""
from results import ahead, more_is_better


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


def ratio(systems, name, metric):
    """(our entry, how many times better it is than `name`'s), or None if there is nothing to compare."""
    if name.startswith("spool"):
        return None
    ours = systems.get(systems[name].get("against", "spool"))
    if ours is None:  # the best of what we have
        candidates = [entry for system, entry in systems.items() if system.startswith("spool")]
        if not candidates:
            return None
        ours = max(candidates, key=lambda entry: entry["median"] * (1 if more_is_better(metric) else -1))
    times = ahead(ours["median"], systems[name]["median"], metric)
    return None if times is None else (ours, times)


def spread(entry):
    return f"±{100 * entry['spread']:.0f} %"


def text(entries):
    lines = []
    for (_, row, case, metric), systems in cases(entries).items():
        lines.append("  ".join(filter(None, (row, case, metric))))
        for name, entry in systems.items():
            compared = ratio(systems, name, metric)
            shown = f"{compared[1]:.2f}x {compared[0]['system']}" if compared else ""
            lines.append(f"    {name:<28} {figure(entry['median']):>12} {spread(entry):>7}  {shown}".rstrip())
    lines.append("x: how many times better the named system is (below 1: worse); ±: half the quartiles' distance")
    return "\n".join(lines)


# Columns of the Markdown tables; a rival goes where its name begins, the rest is named in its cell.
COLUMNS = ("go", "tokio", "crossbeam", "boost_fiber", "")


def markdown(document):
    parts = [circumstances(document)]
    by_workload = {}
    for key, systems in cases(document["results"]).items():
        by_workload.setdefault(key[0], []).append((key, systems))
    for workload, lines in by_workload.items():
        used = {column_of(name) for _, systems in lines for name in systems}
        present = [column for column in COLUMNS if column in used]
        titles = [column or "others" for column in present]
        parts += ["", f"### {workload}", "", "| row | case | unit | spool | " + " | ".join(titles) + " |"]
        parts.append("|---|---|---|--:|" + "--:|" * len(titles))
        for (_, row, case, metric), systems in lines:
            parts += markdown_lines(row, case, metric, systems, present)
    parts += ["", "### Where spool is behind", ""] + [f"- {line}" for line in losses(document["results"])]
    return "\n".join(parts)


def circumstances(document):
    machine = document["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in document["versions"].items())
    return (f"{document['date'][:10]}, commit {document['commit']}; {machine['cpus']} CPUs ({machine['cpu']}), "
            f"{machine['memory_gib']} GiB, Linux {machine['kernel']}; {versions}.")


def column_of(name):
    return None if name.startswith("spool") else next(column for column in COLUMNS if name.startswith(column))


def markdown_lines(row, case, metric, systems, columns):
    """A line for each system of ours, with the rivals that it is compared with."""
    ours = [name for name in systems if name.startswith("spool")] or [None]
    lines = []
    for mine in ours:
        cells = {column: [] for column in columns}
        for name in systems:
            compared = ratio(systems, name, metric)
            if column_of(name) is None or (compared and compared[0] is not systems.get(mine)):
                continue
            times = f" ({compared[1]:.2f}x)" if compared else ""
            label = "" if name == column_of(name) else f"{name} "
            cells[column_of(name)].append(f"{label}{figure(systems[name]['median'])} {spread(systems[name])}{times}")
        own = "" if mine is None else f"{figure(systems[mine]['median'])} {spread(systems[mine])}"
        label = f"{mine} " if mine not in (None, "spool") else ""
        rest = " | ".join("<br>".join(cells[column]) for column in columns)
        lines.append(f"| {row} | {case} | {metric} | {label}{own} | {rest} |")
    return lines


def losses(entries):
    """The cases where another system is ahead of spool, worst first."""
    found = []
    for (_, row, case, metric), systems in cases(entries).items():
        for name, entry in systems.items():
            compared = ratio(systems, name, metric)
            if compared and compared[1] < 1:
                ours, times = compared
                figures = f"{ours['system']} {figure(ours['median'])}, {name} {figure(entry['median'])}"
                found.append((times, f"{row} {case} {metric}: {figures}"))
    return [f"{line} ({times:.2f}x)" for times, line in sorted(found)]
