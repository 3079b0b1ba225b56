"""Workers elsewhere: they draw what a thread would, only under an order, and their loss costs no packet."""

from __future__ import annotations

import importlib.util
import pickle
from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tools import cluster_trial

from bianlian.donors.delegation import issue, new_key, seal, unseal
from bianlian.errors import CallerError, ConsentRefused, InstallationError, UnreadableMedia
from bianlian.records.progress import Silent
from bianlian.tracking.excerpt import excerpt
from bianlian.workflows import job, swap_file
from bianlian.workflows.cluster.worker import SCRATCH, Kit, Worker
from bianlian.workflows.job import ChunkRange
from bianlian.workflows.render import Painter, Render
from bianlian.workflows.swap import Status, swap
from tests.workflows.conftest import DONOR, Stage
from tests.workflows.footage import performer_clip

CHUNKS = (ChunkRange(number=0, first=0, stop=5), ChunkRange(number=1, first=5, stop=10))


class _Caught(Exception):
    """Holds the render that a swap was about to draw."""


@pytest.fixture
def render(stage: Stage, monkeypatch) -> Render:
    """All that a swap of ten frames would be drawn with."""
    caught: list[Render] = []

    def catch(render, *_args, **_options) -> None:
        caught.append(render)
        raise _Caught

    source = performer_clip(stage.folder / "scene.mp4", count=10)
    with monkeypatch.context() as patch:
        patch.setattr(swap_file, "render_chunks", catch)
        swap(stage.house, stage.request(source), Silent())
    return caught[0]


@pytest.fixture
def worker(stage, tmp_path, monkeypatch) -> Generator[Worker]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("BIANLIAN_HEAD", stage.house.donors.installation.id)
    with closing(Worker()) as worker:
        yield worker
    assert not list(tmp_path.glob(f"{SCRATCH}*"))


def kit_of(render: Render) -> bytes:
    parts = {person: (cast.appearance, cast.performer) for person, cast in render.casts.items()}
    return pickle.dumps(Kit(
        source=render.source, parts=parts, space=render.space, label=render.label, watermark=render.watermark,
        encode=render.encode,
    ))  # fmt: skip


def order_of(stage: Stage, render: Render, key: bytes, worker: Worker) -> tuple[bytes, bytes]:
    installation = stage.house.donors.installation
    grants = [cast.grant for cast in render.casts.values()]
    order = issue(installation, worker.public_key(), key, grants, stage.house.clock())
    return order, installation.public_key.public_bytes_raw()


def track_of(render: Render, key: bytes) -> dict[str, bytes]:
    return {name: seal(key, f"track/{name}", content) for name, content in excerpt(render.track, 0, 10).items()}


def test_a_worker_draws_the_bytes_that_a_thread_draws(stage, render, worker, tmp_path):
    key = new_key()
    worker.accept(*order_of(stage, render, key, worker))
    worker.receive(0, seal(key, "footage/0", render.source.path.read_bytes()))
    worker.begin(seal(key, "kit", kit_of(render)))
    painter, track = Painter(render), track_of(render, key)
    for chunk in (*reversed(CHUNKS), *CHUNKS):
        painter.paint(chunk, tmp_path / "here.mp4", tmp_path / "here.json")
        drawn = worker.draw(chunk, track)
        assert unseal(key, f"chunk/{chunk.number}", drawn.chunk) == (tmp_path / "here.mp4").read_bytes()
        assert unseal(key, f"notes/{chunk.number}", drawn.notes) == (tmp_path / "here.json").read_bytes()
    painter.close()


def test_without_an_order_a_worker_does_nothing(render, worker):
    key = new_key()
    for attempt in (
        lambda: worker.receive(0, seal(key, "footage/0", b"x")),
        lambda: worker.begin(seal(key, "kit", kit_of(render))),
        lambda: worker.draw(CHUNKS[0], track_of(render, key)),
    ):
        with pytest.raises(ConsentRefused):
            attempt()


@pytest.mark.parametrize(
    ("told", "said"), [("", "not been told"), ("0123456789abcdef", "works for the installation 0123456789abcdef")]
)
def test_a_worker_takes_orders_only_of_the_head_that_its_machine_was_told(
    stage, render, worker, monkeypatch, told, said
):
    monkeypatch.setenv("BIANLIAN_HEAD", told)
    with closing(Worker()) as stranger, pytest.raises(ConsentRefused, match=said) as refused:
        stranger.accept(*order_of(stage, render, new_key(), stranger))
    assert f"BIANLIAN_HEAD={stage.house.donors.installation.id}" in refused.value.advice
    worker.accept(*order_of(stage, render, new_key(), worker))


def test_an_order_that_has_ended_ends_the_work(stage, render, worker):
    times = iter([stage.house.clock(), stage.house.clock() + timedelta(days=1)])
    with closing(Worker(clock=lambda: next(times))) as late:
        late.accept(*order_of(stage, render, new_key(), late))
        with pytest.raises(ConsentRefused) as refused:
            late.receive(0, b"")
    assert refused.value.code == "order-expired"


def test_other_footage_than_the_grants_are_for_is_refused(stage, render, worker):
    key = new_key()
    worker.accept(*order_of(stage, render, key, worker))
    worker.receive(0, seal(key, "footage/0", render.source.path.read_bytes()[:-1]))
    with pytest.raises(UnreadableMedia):
        worker.begin(seal(key, "kit", kit_of(render)))


def test_an_appearance_of_another_donor_than_the_grant_names_is_refused(stage, render, worker):
    key = new_key()
    ((appearance, performer),) = pickle.loads(kit_of(render)).parts.values()
    other = replace(pickle.loads(kit_of(render)), parts={1: (replace(appearance, donor_id="d-0"), performer)})
    worker.accept(*order_of(stage, render, key, worker))
    worker.receive(0, seal(key, "footage/0", render.source.path.read_bytes()))
    with pytest.raises(ConsentRefused) as refused:
        worker.begin(seal(key, "kit", pickle.dumps(other)))
    assert refused.value.code == "grant-donor"


def test_the_next_worker_removes_what_a_killed_one_left_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    dead, alive = tmp_path / f"{SCRATCH}4194300-x", tmp_path / f"{SCRATCH}1-x"
    for left in (dead, alive):
        left.mkdir()
        (left / "chunk-00000.npz").write_bytes(b"face")
    Worker().close()
    assert not dead.exists()
    assert alive.exists()


def test_patches_are_not_drawn_elsewhere(stage):
    source = performer_clip(stage.folder / "scene.mp4", count=8)
    with pytest.raises(CallerError, match="Patches"):
        swap(stage.house, stage.request(source, ray="auto", patches=stage.folder / "patches"), Silent())


@pytest.mark.skipif(not importlib.util.find_spec("ray"), reason="Ray is not installed: pip install 'bianlian[cluster]'")
def test_an_address_where_nobody_listens_is_said_at_once(stage):
    source = performer_clip(stage.folder / "scene.mp4", count=8)
    with pytest.raises(InstallationError, match="does not answer"):
        swap(stage.house, stage.request(source, ray="127.0.0.1:1"), Silent())


@pytest.mark.slow
@pytest.mark.skipif(not importlib.util.find_spec("ray"), reason="Ray is not installed: pip install 'bianlian[cluster]'")
@pytest.mark.skipif(not Path("/proc").exists(), reason="kills processes by what /proc tells")
def test_a_cluster_that_loses_a_node_in_mid_job_gives_the_packets_of_one_machine(stage, monkeypatch):
    monkeypatch.setattr(job, "CHUNK_FRAMES", 6)
    source = performer_clip(stage.folder / "scene.mp4", count=60)
    local = swap(stage.house, stage.request(source), Silent()).outcomes[0]
    assert local.status is Status.DONE, local.sentence
    trial = cluster_trial.Trial(stage.house.settings.home, DONOR, stage.performer, source, "draft", 6)
    monkeypatch.setenv("BIANLIAN_HEAD", stage.house.donors.installation.id)
    with cluster_trial.scratch() as folder:
        result, said = cluster_trial.on_cluster(trial, folder / "2", 2, kill=True)
        assert cluster_trial.packets_of(result) == cluster_trial.packets_of(local.output)
    assert "A worker was lost" in said
