"""The main way, on real media, as a user sees it."""

import shutil
from dataclasses import replace
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from bianlian.errors import CallerError, ConsentRefused
from bianlian.imaging.colour import rgb_from_frame
from bianlian.media.decode import frames
from bianlian.media.probe import describe
from bianlian.records.progress import Silent
from bianlian.records.verdict import State
from bianlian.workflows.people import people
from bianlian.workflows.swap import Status, swap
from bianlian.workflows.verify import verify_files
from tests.media_factory import RICH, cut_off
from tests.workflows.conftest import DONOR
from tests.workflows.footage import performance, performer_clip, two_persons


def only(report):
    (outcome,) = report.outcomes
    return outcome


def stamps_of(path):
    with av.open(path) as container:
        return [Fraction(frame.pts) * frame.time_base for frame in container.decode(video=0)]


def packets_of(path):
    with av.open(path) as container:
        return [
            (packet.stream.index, packet.pts, packet.dts, bytes(packet)) for packet in container.demux() if packet.size
        ]


def test_a_swap_is_released_with_all_its_marks_and_verifies(stage):
    source = performer_clip(stage.folder / "scene.mp4", count=24)
    outcome = only(swap(stage.house, stage.request(source), Silent()))
    assert outcome.status is Status.DONE, outcome.sentence
    assert outcome.output == stage.folder / "out" / "scene.bianlian.mp4"
    assert stamps_of(outcome.output) == stamps_of(source)
    (verdict,) = verify_files(stage.house, [outcome.output], page=stage.folder / "page.html", reporter=Silent())
    assert verdict.state is State.VALID, verdict.reason
    assert {finding.check for finding in verdict.findings} >= {"label", "metadata", "manifest", "watermark", "consent"}
    before, after = (
        np.stack([rgb_from_frame(frame) for frame in frames(describe(path))]) for path in (source, outcome.output)
    )
    change = np.abs(before.astype(int) - after).mean(axis=(0, 3))
    side = change.shape[0]
    assert change[side // 4 : side // 2, side // 3 : side * 2 // 3].mean() > 4 * change[: side // 8].mean()
    names = sorted(path.name for path in (stage.folder / "out").iterdir())
    assert names == ["scene.bianlian.mp4", "scene.bianlian.mp4.report.json"]


def test_rich_phone_footage_keeps_stamps_streams_and_stands_upright(stage):
    source = performer_clip(stage.folder / "phone.mp4", replace(RICH, size=(288, 288)))
    outcome = only(swap(stage.house, stage.request(source), Silent()))
    assert outcome.status is Status.DONE, outcome.sentence
    assert stamps_of(outcome.output) == stamps_of(source)
    with av.open(source) as before, av.open(outcome.output) as after:
        kinds = [[stream.type for stream in container.streams] for container in (before, after)]
        assert kinds[0] == kinds[1]
        assert [chapter["metadata"]["title"] for chapter in after.chapters()] == ["Begin", "End"]
        assert after.metadata["title"] == "A title"
        assert [s.language for s in after.streams.audio] == [s.language for s in before.streams.audio]
    for kind in ("audio", "subtitles"):
        assert _packets(outcome.output, kind) == _packets(source, kind)
    assert describe(outcome.output).rotation == 0
    first = rgb_from_frame(next(frames(describe(outcome.output))))
    upright = cv2.resize(performance()[0], first.shape[1::-1])
    assert np.abs(first[:140].astype(int) - upright[:140]).mean() < 12


def _packets(path, kind):
    with av.open(path) as container:
        stream = getattr(container.streams, kind)[0]
        return [(p.pts * p.time_base, bytes(p)) for p in container.demux(stream) if p.size]


def test_who_is_not_cast_is_not_touched(stage, monkeypatch):
    source = two_persons(stage.folder / "two.mp4")
    rows = people(stage.house, source, sheet=stage.folder / "people.png", reporter=Silent())
    assert [row["person"] for row in rows] == [1, 2]
    seen = []
    from bianlian.workflows import render  # noqa: PLC0415

    encode = render.write_chunk

    def watched(marked, *rest):
        def passing():
            for frame in marked:
                seen.append(frame)
                yield frame

        return encode(passing(), *rest)

    monkeypatch.setattr(render, "write_chunk", watched)
    outcome = only(swap(stage.house, stage.request(source), Silent()))
    assert outcome.status is Status.DONE, outcome.sentence
    seen.sort(key=lambda marked: marked.frame.index)
    for marked, before in zip(seen, frames(describe(source)), strict=True):
        height, _ = before.size
        label_top = int(height * 0.85)
        for after_plane, before_plane in zip(marked.frame.planes, before.planes, strict=True):
            rows_of, columns_of = before_plane.shape
            untouched = slice(0, rows_of * label_top // height), slice(columns_of * 8 // 15, None)
            assert np.array_equal(after_plane[untouched], before_plane[untouched])
        assert any(face.matte.any() for face in marked.composite.faces)


def test_two_donors_in_one_pass(stage):
    source = two_persons(stage.folder / "two.mp4", count=12)
    request = stage.request(source, casts={1: DONOR, 2: DONOR})
    outcome = only(swap(stage.house, request, Silent()))
    assert outcome.status is Status.DONE, outcome.sentence


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_a_picture_stays_a_picture_of_its_kind(stage, suffix):
    source = stage.folder / f"portrait{suffix}"
    Image.fromarray(performance()[30]).save(source, **({"quality": 95} if suffix == ".jpg" else {}))
    outcome = only(swap(stage.house, stage.request(source), Silent()))
    assert outcome.status is Status.DONE, outcome.sentence
    assert outcome.output.name == f"portrait.bianlian{suffix}"
    (verdict,) = verify_files(stage.house, [outcome.output], page=None, reporter=Silent())
    assert verdict.state is State.VALID, verdict.reason
    if suffix == ".png":
        before, after = np.asarray(Image.open(source)), np.asarray(Image.open(outcome.output))
        assert np.array_equal(before[:40], after[:40])


def test_a_folder_is_done_as_far_as_it_can_be_and_each_file_is_named(stage):
    footage = stage.folder / "footage"
    footage.mkdir()
    good = performer_clip(footage / "good.mp4", count=12)
    (footage / "empty.mp4").touch()
    cut_off(good, footage / "broken.mp4", 0.5)
    Image.fromarray(np.full((120, 160, 3), 90, np.uint8)).save(footage / "faceless.png")
    request = stage.request(footage)
    report = swap(stage.house, request, Silent())
    ends = {outcome.file.name: outcome.status for outcome in report.outcomes}
    assert ends == {
        "broken.mp4": Status.FAILED, "empty.mp4": Status.FAILED, "faceless.png": Status.FAILED, "good.mp4": Status.DONE,
    }  # fmt: skip
    assert report.exit_code == 3
    sentences = {outcome.file.name: outcome.sentence for outcome in report.outcomes}
    assert "empty" in sentences["empty.mp4"]
    assert "No face" in sentences["faceless.png"]
    out = stage.folder / "out"
    assert sorted(path.name for path in out.iterdir()) == ["good.bianlian.mp4", "good.bianlian.mp4.report.json"]
    again = {outcome.file.name: outcome.status for outcome in swap(stage.house, request, Silent()).outcomes}
    assert again["good.mp4"] is Status.SKIPPED


def test_a_withdrawn_consent_stops_a_running_job_at_release(stage, monkeypatch):
    source = performer_clip(stage.folder / "scene.mp4", count=12)
    from bianlian.workflows import swap_file  # noqa: PLC0415

    check = swap_file.checked

    def checked_then_withdrawn(house, *rest, **options):
        prints = check(house, *rest, **options)
        house.donors.revoke(DONOR, house.clock())
        return prints

    monkeypatch.setattr(swap_file, "checked", checked_then_withdrawn)
    outcome = only(swap(stage.house, stage.request(source), Silent()))
    assert (outcome.status, outcome.code) == (Status.REFUSED, "revoked")
    assert not outcome.output.exists()


def test_a_result_of_a_withdrawn_consent_verifies_as_withdrawn(stage):
    source = performer_clip(stage.folder / "scene.mp4", count=12)
    outcome = only(swap(stage.house, stage.request(source), Silent()))
    stage.house.donors.revoke(DONOR, stage.house.clock())
    (verdict,) = verify_files(stage.house, [outcome.output], page=None, reporter=Silent())
    assert verdict.state is State.WITHDRAWN
    with pytest.raises(CallerError, match="no donor"):
        swap(stage.house, stage.request(source), Silent())


def test_another_project_than_the_donor_allowed_is_refused(stage):
    source = performer_clip(stage.folder / "scene.mp4", count=8)
    text = stage.performer.read_text().replace('project = "Bianlian demo"', 'project = "Something else"')
    stage.performer.write_text(text)
    outcome = only(swap(stage.house, stage.request(source), Silent()))
    assert (outcome.status, outcome.code) == (Status.REFUSED, "scope-project")
    assert any(entry.facts["code"] == "scope-project" for entry in stage.house.donors.ledger.entries("refusal"))


def test_somebody_who_is_not_there_cannot_be_cast(stage):
    source = performer_clip(stage.folder / "scene.mp4", count=8)
    outcome = only(swap(stage.house, stage.request(source, casts={3: DONOR}), Silent()))
    assert outcome.status is Status.FAILED
    assert "no person 3" in outcome.sentence


def test_our_own_result_is_no_capture(stage):
    """A face that this program put on must not enrol anybody."""
    from bianlian.workflows.verify import marks_of_ours  # noqa: PLC0415

    source = performer_clip(stage.folder / "scene.mp4", count=24)
    outcome = only(swap(stage.house, stage.request(source), Silent()))
    assert set(marks_of_ours(stage.house, describe(outcome.output), Silent())) >= {"label", "metadata", "manifest"}
    assert marks_of_ours(stage.house, describe(source), Silent()) == ()


def test_a_resumed_job_gives_the_same_pictures_as_an_uninterrupted_one(stage, monkeypatch):
    from bianlian.workflows import job, render  # noqa: PLC0415

    monkeypatch.setattr(job, "CHUNK_FRAMES", 8)
    stage = stage.with_one_worker()
    source = performer_clip(stage.folder / "scene.mp4", count=40)
    whole = only(swap(stage.house, stage.request(source, output=stage.folder / "whole"), Silent()))
    encode = render.write_chunk

    def dying(marked, source, settings, path):
        if path.name == "chunk-00002.mp4":
            raise KeyboardInterrupt
        return encode(marked, source, settings, path)

    monkeypatch.setattr(render, "write_chunk", dying)
    with pytest.raises(KeyboardInterrupt):
        swap(stage.house, stage.request(source), Silent())
    done = {path.name: path.stat().st_mtime_ns for path in (stage.folder / "out" / ".bianlian").rglob("chunk-*.mp4")}
    assert done
    assert "chunk-00002.mp4" not in done
    redrawn = []

    def noted(marked, source, settings, path):
        redrawn.append(path.name)
        return encode(marked, source, settings, path)

    monkeypatch.setattr(render, "write_chunk", noted)
    outcome = only(swap(stage.house, stage.request(source, resume=True), Silent()))
    assert outcome.status is Status.DONE, outcome.sentence
    assert not set(redrawn) & set(done)
    assert packets_of(outcome.output) == packets_of(whole.output)


def test_two_jobs_in_one_process_do_not_meet(stage, founded, tmp_path):
    """The library has no state of its own: two homes side by side, each with its own keys."""
    from bianlian.workflows.house import open_house  # noqa: PLC0415

    source = performer_clip(stage.folder / "scene.mp4", count=8)
    other_home = tmp_path / "other"
    shutil.copytree(founded / "home", other_home)
    shutil.rmtree(other_home / "keys" / "signing", ignore_errors=True)
    other = open_house(replace(stage.house.settings, home=other_home))
    first = only(swap(stage.house, stage.request(source, output=tmp_path / "a"), Silent()))
    second = only(swap(other, stage.request(source, output=tmp_path / "b"), Silent()))
    assert first.status is second.status is Status.DONE
    (verdict,) = verify_files(other, [first.output], page=None, reporter=Silent())
    assert verdict.state is State.ALTERED  # the job is known here, but not under this signature


def test_what_exists_under_the_result_name_is_not_overwritten(stage):
    source = performer_clip(stage.folder / "scene.mp4", count=8)
    (stage.folder / "out").mkdir()
    theirs = stage.folder / "out" / "scene.bianlian.mp4"
    theirs.write_bytes(b"mine")
    outcome = only(swap(stage.house, stage.request(source), Silent()))
    assert outcome.status is Status.FAILED
    assert theirs.read_bytes() == b"mine"


def test_a_minor_in_the_performer_file_is_refused(stage):
    source = performer_clip(stage.folder / "scene.mp4", count=8)
    stage.performer.write_text(stage.performer.read_text().replace("adult = true", "adult = false"))
    with pytest.raises(ConsentRefused) as refusal:
        swap(stage.house, stage.request(source), Silent())
    assert refusal.value.code == "performer-minor"


def test_an_opening_label_needs_a_receipt_for_an_artistic_work(stage):
    source = performer_clip(stage.folder / "scene.mp4", count=8)
    outcome = only(swap(stage.house, stage.request(source, label_opening=5.0), Silent()))
    assert (outcome.status, outcome.code) == (Status.REFUSED, "opening-label")
    assert not outcome.output.exists()
