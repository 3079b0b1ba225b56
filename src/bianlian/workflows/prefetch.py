"""Work side by side: a stage a few items ahead of the next (decoding while the frame before is looked at), or a thing apart."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import TypeVar

DEPTH = 6
"""Items held between the stages: 1080p frames of 3 MB each, so about 20 MB."""
_PATIENCE_S = 0.1

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class _End:
    """The stream is over, or broke off with an error."""

    error: BaseException | None


def prefetched(items: Iterator[_Item], *, depth: int = DEPTH) -> Generator[_Item]:
    """The same items, drawn by a thread of their own; errors arrive where they happened, closing stops the thread."""
    queue: Queue[_Item | _End] = Queue(depth)
    stopping = Event()

    def draw() -> None:
        error: BaseException | None = None
        try:
            for item in items:
                if not _put(queue, item, stopping):
                    break
        except BaseException as caught:  # noqa: BLE001 - handed over to the reader, who raises it
            error = caught
        finally:
            close = getattr(items, "close", None)
            if close:
                close()
        _put(queue, _End(error), stopping)

    worker = Thread(target=draw, name="prefetch", daemon=True)
    worker.start()
    try:
        while True:
            got = queue.get()
            if isinstance(got, _End):
                if got.error is not None:
                    raise got.error
                return
            yield got
    finally:
        stopping.set()
        while worker.is_alive():
            with contextlib.suppress(Empty):
                queue.get(timeout=_PATIENCE_S)
        worker.join()


def aside(work: Callable[[], _Item]) -> Callable[[], _Item]:
    """Begin some work in a thread of its own; what is returned waits for its result, or raises its error."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="aside")
    done = pool.submit(work)
    pool.shutdown(wait=False)
    return done.result


def _put(queue: Queue[_Item | _End], item: _Item | _End, stopping: Event) -> bool:
    """Put an item unless the reader has gone; says whether it was put."""
    while not stopping.is_set():
        try:
            queue.put(item, timeout=_PATIENCE_S)
        except Full:
            continue
        return True
    return False
