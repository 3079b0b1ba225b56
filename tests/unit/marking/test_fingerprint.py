"""Copies of a released output are near it, other pictures are not; the registry keeps what is needed and no more."""

from __future__ import annotations

import json
import tracemalloc
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bianlian.errors import InstallationError
from bianlian.imaging.pdq import MATCH_DISTANCE
from bianlian.marking.fingerprint import Print, likeness, pdq_per_second, print_of, prints_from_vpdq, vpdq_json
from bianlian.marking.registry import OutputRegistry, nearest, outputs_from_bundle
from bianlian.records.arrays import U8
from bianlian.records.frame import ColourSpec, Frame
from bianlian.records.time import Instant

NOW = datetime(2026, 11, 22, 19, 0, tzinfo=UTC)


def scene(seed: int) -> U8:
    random = np.random.default_rng(seed)
    layers = (cv2.resize(random.normal(0, 1, (n, n)), (320, 240), interpolation=cv2.INTER_CUBIC) for n in (5, 11, 19))
    return cv2.normalize(sum(layers), None, 20, 235, cv2.NORM_MINMAX).astype(np.uint8)


def frame_of(luma: np.ndarray, tick: int = 0) -> Frame:
    luma = np.ascontiguousarray(luma, np.uint8)
    chroma = np.full((-(-luma.shape[0] // 2), -(-luma.shape[1] // 2)), 128, np.uint8)
    instant = Instant(pts=tick, time_base=Fraction(1, 10))
    return Frame(
        index=tick, instant=instant, duration=1, planes=(luma, chroma, chroma.copy()), colour=ColourSpec(), bit_depth=8
    )


def clip(seed: int, frames: int = 35) -> list[Frame]:
    return [frame_of(np.roll(scene(seed), tick, axis=1), tick + 7) for tick in range(frames)]


def test_one_print_a_second_from_the_first_frame() -> None:
    prints = pdq_per_second(clip(1))
    assert [one.second for one in prints] == [0, 1, 2, 3]
    assert all(len(one.pdq) == 64 and one.quality >= 50 for one in prints)
    assert pdq_per_second([]) == ()


def test_a_smaller_noisier_copy_is_near_and_another_clip_is_not() -> None:
    known = pdq_per_second(clip(1))
    copies = [frame_of(cv2.resize(f.planes[0], (160, 120)) * 0.9 + 5, f.instant.pts) for f in clip(1)]
    near = likeness(pdq_per_second(copies), known)
    assert near.query_share == 1
    assert not near.is_mirrored
    assert likeness(pdq_per_second(clip(2)), known).query_share == 0


def test_a_mirrored_copy_is_near_and_called_mirrored() -> None:
    mirrored = frame_of(scene(1)[:, ::-1])
    found = likeness([print_of(mirrored)], [print_of(frame_of(scene(1)))])
    assert found.query_share == 1
    assert found.is_mirrored


def test_flat_pictures_are_not_compared() -> None:
    flat = [print_of(frame_of(np.full((240, 320), 90)))]
    assert likeness(flat, flat).compared == 0
    assert likeness(flat, flat).query_share == 0


def prints_of(bits: np.ndarray) -> list[Print]:
    return [
        Print(second=second, pdq=row.tobytes().hex(), mirrored="", quality=100)
        for second, row in enumerate(np.packbits(bits, axis=1))
    ]


@given(st.integers(1, 600), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_likeness_counts_the_bits_that_differ(ours: int, theirs: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    known = random.integers(0, 2, (theirs, 256), np.uint8)
    query = known[random.integers(0, theirs, ours)] ^ (random.random((ours, 256)) < random.uniform(0, 0.2))
    found = likeness(prints_of(query), prints_of(known))
    distance = (query[:, None] != known[None]).sum(axis=2)
    near = distance.min(axis=1) <= MATCH_DISTANCE
    assert found.query_share == pytest.approx(near.mean())
    assert found.known_share == pytest.approx((distance.min(axis=0) <= MATCH_DISTANCE).mean())
    assert found.distance == (pytest.approx(distance.min(axis=1)[near].mean()) if near.any() else 256)


def test_two_films_of_an_hour_are_compared_in_bounded_memory() -> None:
    film = prints_of(np.random.default_rng(3).integers(0, 2, (3600, 256), np.uint8))
    tracemalloc.start()
    found = likeness(film, film)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.query_share == found.known_share == 1
    assert peak < 32 << 20


def test_vpdq_text_reads_back() -> None:
    prints = pdq_per_second(clip(1))
    again = prints_from_vpdq(vpdq_json(prints))
    assert [(p.pdq, p.quality, p.second) for p in again] == [(p.pdq, p.quality, p.second) for p in prints]
    with pytest.raises(ValueError, match="vPDQ"):
        prints_from_vpdq('["abc"]')


def test_the_registry_finds_a_copy_and_a_piece_of_it(tmp_path: Path) -> None:
    registry = OutputRegistry.open(tmp_path / "outputs.db")
    for number in (1, 2):
        registry.issue(f"job-{number}", key_id="k", now=NOW)
        registry.release(
            f"job-{number}", sha256=f"{number:064}", md5=f"{number:032}", prints=pdq_per_second(clip(number)), now=NOW
        )
    registry.issue("job-other-key", key_id="other", now=NOW)
    assert registry.job_ids(key_id="k") == ("job-1", "job-2")
    assert registry.nearest(pdq_per_second(clip(2))).job_id == "job-2"
    assert registry.nearest(pdq_per_second(clip(2)[10:15])).job_id == "job-2"
    assert not registry.nearest(pdq_per_second(clip(3))).is_found
    assert not registry.nearest(()).is_found


def test_the_public_bundle_finds_the_same_and_holds_no_key_name(tmp_path: Path) -> None:
    registry = OutputRegistry.open(tmp_path / "outputs.db")
    registry.issue("job-1", key_id="key-name", now=NOW)
    registry.release("job-1", sha256="a" * 64, md5="b" * 32, prints=pdq_per_second(clip(1)), now=NOW)
    bundle = registry.public_bundle()
    assert "key-name" not in bundle
    assert outputs_from_bundle(bundle) == tuple(registry.outputs())
    assert nearest(pdq_per_second(clip(1)), outputs_from_bundle(bundle)).job_id == "job-1"
    with pytest.raises(ValueError, match="bundle"):
        outputs_from_bundle(json.dumps({"sha256": 1}))


def test_issuing_and_releasing_again_changes_nothing(tmp_path: Path) -> None:
    registry = OutputRegistry.open(tmp_path / "outputs.db")
    for _ in range(2):
        registry.issue("job-1", key_id="k", now=NOW)
        registry.release("job-1", sha256="a" * 64, md5="b" * 32, prints=pdq_per_second(clip(1)), now=NOW)
    assert len(list(registry.outputs())) == 1
    assert (tmp_path / "outputs.db").stat().st_mode & 0o777 == 0o600


def test_what_was_never_issued_cannot_be_released(tmp_path: Path) -> None:
    registry = OutputRegistry.open(tmp_path / "outputs.db")
    with pytest.raises(InstallationError, match="never issued"):
        registry.release("job-1", sha256="a" * 64, md5="b" * 32, prints=(), now=NOW)


def test_a_broken_file_is_an_installation_error(tmp_path: Path) -> None:
    (tmp_path / "outputs.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(InstallationError, match="registry"):
        OutputRegistry.open(tmp_path / "outputs.db")
