"""The latency of files in LiteRT, in turns, so that what slows the machine slows them all."""

import statistics
import time


def turns(names, prepare, rounds, count):
    """CPU time of one run of each, in milliseconds: a dict for each of rounds × count turns.

    prepare(name) makes an interpreter and gives a function that runs it once. Where an
    interpreter's memory happens to lie makes 2 % and more, so each round makes new ones, in another
    order; the first run of each is not counted.
    """
    names = list(names)
    found = []
    for i in range(rounds):
        order = names[i % len(names) :] + names[: i % len(names)]
        runs = {name: prepare(name) for name in order}
        for run in runs.values():
            run()
        for turn in range(count):
            found.append({name: _timed(runs[name]) for name in order[:: -1 if turn % 2 else 1]})
    return found


def _timed(run):
    start = time.process_time_ns()
    run()
    return 1e-6 * (time.process_time_ns() - start)


def median(turns, name):
    return statistics.median(turn[name] for turn in turns)


def ratio(turns, name, to):
    """The median of the turns' ratios."""
    return statistics.median(turn[name] / turn[to] for turn in turns)
