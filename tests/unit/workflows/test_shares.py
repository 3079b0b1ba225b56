"""Workers share a file's chunks: each once, neighbours together, nobody idle while there are chunks left."""

from hypothesis import given
from hypothesis import strategies as st

from bianlian.workflows.job import CHUNK_FRAMES, chunks_of
from bianlian.workflows.render import Shares


@given(st.integers(0, 20_000))
def test_chunks_cover_every_frame_once_and_are_of_even_length(frames):
    chunks = chunks_of(frames)
    assert [index for chunk in chunks for index in range(chunk.first, chunk.stop)] == list(range(frames))
    lengths = {chunk.stop - chunk.first for chunk in chunks}
    assert all(0 < length <= CHUNK_FRAMES for length in lengths)
    assert not lengths or max(lengths) - min(lengths) <= 1


@given(st.integers(0, 60), st.integers(1, 5), st.randoms(use_true_random=False))
def test_every_chunk_is_taken_once_in_any_order_of_workers(count, workers, random):
    chunks = chunks_of(count * CHUNK_FRAMES)
    shares, taken = Shares(chunks, workers), []
    idle = set()
    while len(idle) < workers:
        worker = random.choice([one for one in range(workers) if one not in idle])
        chunk = shares.take(worker)
        if chunk is None:
            idle.add(worker)
        else:
            assert not idle
            taken.append(chunk)
    assert sorted(taken, key=lambda chunk: chunk.number) == list(chunks)
