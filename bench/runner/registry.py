"""Reads the files `programs`, by which workloads say what to build and run; bench/README.md has their form."""
import dataclasses
import pathlib
import shlex

BENCH = pathlib.Path(__file__).resolve().parent.parent
ROOT = BENCH.parent


@dataclasses.dataclass
class Command:
    words: list
    is_google_benchmark: bool

    def for_row(self, row, places):
        words = []
        for word in self.words:
            for name, value in {**places, "row": row}.items():
                word = word.replace("{" + name + "}", str(value))
            words.append(word)
        return words


@dataclasses.dataclass
class Workload:
    name: str
    folder: pathlib.Path
    packages: list = dataclasses.field(default_factory=list)
    cmake: list = dataclasses.field(default_factory=list)
    go: dict = dataclasses.field(default_factory=dict)
    rust: dict = dataclasses.field(default_factory=dict)
    rows: list = dataclasses.field(default_factory=list)
    rounds: int = 3
    against: dict = dataclasses.field(default_factory=dict)  # rival: the system of ours that it is compared with
    commands: list = dataclasses.field(default_factory=list)


class Mistake(Exception):
    pass


def read(path):
    workload = Workload(path.parent.name, path.parent)
    for number, line in enumerate(path.read_text().splitlines(), 1):
        words = shlex.split(line, comments=True)
        if not words:
            continue
        keyword, rest = words[0], words[1:]
        try:
            if keyword == "package":
                workload.packages += rest
            elif keyword == "cmake":
                workload.cmake += rest
            elif keyword in ("go", "rust"):
                name, folder = rest
                getattr(workload, keyword)[name] = workload.folder / folder
            elif keyword == "rows":
                workload.rows += rest
            elif keyword == "against":
                workload.against.update(dict.fromkeys(rest[1:], rest[0]))
            elif keyword == "rounds":
                (workload.rounds,) = map(int, rest)
            elif keyword == "run":
                workload.commands.append(Command(rest[1:], False))
            elif keyword == "benchmark":
                workload.commands.append(Command(rest, True))
            else:
                raise ValueError
        except (ValueError, IndexError) as error:
            raise Mistake(f"{path.relative_to(ROOT)}:{number}: {line.strip()}") from error
    workload.rows = workload.rows or [workload.name]
    return workload


def all_workloads():
    files = sorted(BENCH.glob("compare/*/programs")) + sorted(BENCH.glob("*/programs"))
    return [read(path) for path in files]


def chosen(names):
    """The workloads that are named or have a row that is named, with those rows only; all if nothing is named."""
    if not names:
        return all_workloads()
    found, unknown = [], set(names)
    for workload in all_workloads():
        unknown.discard(workload.name)
        if workload.name not in names:
            workload.rows = [row for row in workload.rows if row in names]
            unknown.difference_update(workload.rows)
        if workload.rows:
            found.append(workload)
    if unknown:
        raise Mistake(f"no workload or row {', '.join(sorted(unknown))}; bench/run --list names them")
    return found
