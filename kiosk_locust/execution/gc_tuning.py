"""Python's search for garbage, tuned for a process with many jobs in flight.

What a job is made of goes when its last reference does; only rings of references need the search,
and a job leaves none. Python's own settings search all objects again and again while they grow in
number: with 20,000 jobs in flight one search takes a third of a second, in which no job is sent.

gevent 26.9 notes for each greenlet who made it and where, for people who look for faults: a
kilobyte and some ten microseconds a job. That is left out, too, by a setting that gevent offers.
"""

from __future__ import annotations

import gc
from collections.abc import Callable

import gevent

#: Young objects are searched once so many more were made than went (a few ms) ...
YOUNG = 10_000
#: ... those that outlived it once in so many searches (some ten ms) ...
MIDDLE = 5
#: ... and all once in so many of these: rings that nobody foresaw must not fill the memory.
OLD = 100


def calm() -> Callable[[], None]:
    """Leave what is there by now out of searches, and search seldom; returns what ends it."""
    before = gc.get_threshold()
    notes_makers = gevent.config.track_greenlet_tree
    gevent.config.track_greenlet_tree = False
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)

    def restore() -> None:
        gc.set_threshold(*before)
        gc.unfreeze()
        gevent.config.track_greenlet_tree = notes_makers

    return restore
