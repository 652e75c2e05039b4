"""The part of bench/run that is not installing packages; bench/run calls it. See bench/README.md."""
import argparse
import pathlib
import sys

import building
import registry
import results
import sampling
import tables
import targets


def arguments():
    parser = argparse.ArgumentParser(prog="bench/run", description="Measures spool beside its rivals.")
    parser.add_argument("names", nargs="*", metavar="WORKLOAD|ROW", help="default: all")
    parser.add_argument("--build", type=pathlib.Path, default=registry.ROOT / "build/release", metavar="DIR",
                        help="CMake's build directory (default: build/release)")
    parser.add_argument("--rounds", type=int, help="rounds A B B A, two samples each (default: what the workload says)")
    parser.add_argument("--results", type=pathlib.Path, metavar="FILE", default=results.FILE)
    parser.add_argument("--add", action="store_true", help="keep what the file has of other rows")
    parser.add_argument("--no-build", action="store_true", help="the programs are there")
    parser.add_argument("--list", action="store_true", help="name workloads and rows")
    parser.add_argument("--packages", action="store_true", help="name the packages that are needed")
    parser.add_argument("--table", action="store_true", help="measure nothing, print what the file has")
    parser.add_argument("--markdown", action="store_true", help="the same as Markdown")
    parser.add_argument("--into", type=pathlib.Path, metavar="FILE",
                        help="the same between the lines <!-- figures --> and <!-- end of figures --> of FILE")
    return parser.parse_args()


def show(document, as_markdown=False):
    entries = document["results"]
    if as_markdown:
        print(tables.markdown(document))
        return
    print(tables.text(entries))
    for title, lines in (("behind:", tables.losses(entries)), ("targets:", targets.check(entries))):
        if lines:
            print("\n".join(["", title, *lines]))


def write_into(path, document):
    before, marks, rest = path.read_text().partition("<!-- figures -->\n")
    _, end, after = rest.partition("<!-- end of figures -->")
    if not marks or not end:
        raise registry.Mistake(f"{path} has no place for figures")
    path.write_text(f"{before}{marks}{tables.markdown(document)}\n{end}{after}")


def measure(options, workloads):
    programs = registry.ROOT / "build/bench/bin"
    if not options.no_build:
        building.build(workloads, options.build, programs)
    samples = sampling.Samples()
    commit = results.commit()
    for workload in workloads:
        places = {"cmake": options.build / "bench", "bin": programs, "here": workload.folder, "root": registry.ROOT}
        for row in workload.rows:
            sampling.say(f"{workload.name}: {row}" if row != workload.name else row)
            sampling.run_row(workload, row, options.rounds or workload.rounds, places, samples)
    kept = results.load(options.results)["results"] if options.add else []
    document = results.save(options.results, results.summarize(samples, commit), kept)
    return document, samples.failures


def main():
    options = arguments()
    options.build = options.build.resolve()
    if options.into:
        write_into(options.into, results.load(options.results))
        return 0
    if options.table or options.markdown:
        show(results.load(options.results), options.markdown)
        return 0
    workloads = registry.chosen(options.names)
    if options.list:
        for workload in workloads:
            print(f"{workload.name}: {' '.join(workload.rows)}")
        return 0
    if options.packages:
        print("\n".join(building.packages(workloads)))
        return 0
    document, failures = measure(options, workloads)
    show(document)
    for failure in failures:
        print(f"failed: {failure}", file=sys.stderr)
    return 1 if failures else 0


try:
    sys.exit(main())
except BrokenPipeError:
    pass  # head has seen enough
except registry.Mistake as mistake:
    sys.exit(f"bench: {mistake}")
