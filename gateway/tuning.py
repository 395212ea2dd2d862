"""How a process of ours runs its interpreter."""

import gc

YOUNG_OBJECTS = 50_000


def calm_collector() -> None:
    """Look for reference cycles seldom, and never among what was there at the start.

    A batch of events makes hundreds of short-lived objects and no cycle; with the interpreter's
    defaults the search for one takes a tenth of an ingesting process's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 100)
