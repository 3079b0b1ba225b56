"""What the report beside a result says is so: numbers are compared with the pictures that were really coded."""

import base64
import json
from dataclasses import replace
from fractions import Fraction
from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image

from bianlian.errors import CallerError, ConsentRefused, ContentRefused, UnreadableMedia
from bianlian.imaging.colour import rgb_float_from_frame, rgb_from_frame
from bianlian.marking.reading import read_labels
from bianlian.media.decode import frames
from bianlian.media.probe import describe
from bianlian.media.stamps import stamps_of
from bianlian.records.appearance import Appearance
from bianlian.records.progress import Silent
from bianlian.records.verdict import State
from bianlian.workflows import job, render
from bianlian.workflows.footage import expand
from bianlian.workflows.patches import check_patches
from bianlian.workflows.preview import PreviewRequest, preview
from bianlian.workflows.swap import Status, swap
from bianlian.workflows.verify import verify_files
from tests.media_factory import RICH, VARIABLE_RATE, Recipe, make_clip
from tests.workflows.conftest import DONOR
from tests.workflows.footage import performance, performer_clip, two_persons

YAW = 51


def swapped(stage, source, **options):
    (outcome,) = swap(stage.house, stage.request(source, **options), Silent()).outcomes
    assert outcome.status is Status.DONE, outcome.sentence
    return outcome, json.loads(outcome.output.with_name(f"{outcome.output.name}.report.json").read_text())


def watched(monkeypatch):
    """All marked frames that are coded, by index."""
    seen, encode = {}, render.write_chunk

    def watching(marked, *rest):
        def passing():
            for frame in marked:
                seen[frame.frame.index] = frame
                yield frame

        return encode(passing(), *rest)

    monkeypatch.setattr(render, "write_chunk", watching)
    return seen


def shows_only_the_front(stage):
    """Make it so that the donor's capture showed nothing but the front."""
    (donor,) = stage.house.donors.list()
    whole = Appearance.from_bytes(stage.house.donors.vault.read(donor.id, "appearance-draft"))
    front = np.abs(whole.covered[:, YAW]) < 0.1
    assert front.any()
    kept = {name: getattr(whole, name)[front] for name in ("covered", "looks", "eyes", "eyes_seen")}
    content = replace(whole, **kept).to_bytes()
    stage.house.donors.vault.write(donor.id, "appearance-draft", content)


def turning(path):
    """The part of the acts in which the head turns away and comes back."""
    clip = performance("demo_donor_acts.mp4")
    return make_clip_of(path, clip[:: max(1, len(clip) // 90)])


def make_clip_of(path, pictures):
    recipe = replace(RICH, stamps=tuple(range(0, len(pictures) * 3600, 3600)), size=pictures[0].shape[:2], rotation=0)
    return make_clip(path, recipe, lambda number, _: np.ascontiguousarray(pictures[number]))


def test_a_turn_beyond_what_the_donor_showed_fades_to_the_original_and_is_told(stage, monkeypatch):
    stage = stage.with_one_worker()
    shows_only_the_front(stage)
    source = turning(stage.folder / "turns.mp4")
    coded = watched(monkeypatch)
    outcome, report = swapped(stage, source)
    (person,) = report["persons"]
    faces = {index: marked.composite.faces[0] for index, marked in coded.items() if marked.composite.faces}
    confidence = {index: face.confidence for index, face in faces.items()}
    assert person["frames"]["gone"] == sum(value == 0 for value in confidence.values()) > 3
    assert person["frames"]["faded"] == sum(0 < value < 1 for value in confidence.values())
    assert person["frames"]["drawn"] == sum(value == 1 for value in confidence.values()) > 3
    listed = {
        index for passage in person["faded"] for index in range(passage["first"], passage["last"] + 1)
    }  # a few full frames between faded ones belong to a passage
    assert listed >= {index for index, value in confidence.items() if value < 1}
    for passage in person["faded"]:
        assert passage["least"] == pytest.approx(confidence[passage["deepest"]], abs=1e-3)
        assert passage["reason"] == faces[passage["deepest"]].fade_reason != ""
        assert passage["reason"] in outcome.sentence
    for before in frames(describe(source)):
        if confidence.get(before.index) == 0:
            top = before.size[0] * 4 // 5  # below is the label
            for plane, original in zip(coded[before.index].frame.planes, before.planes, strict=True):
                rows = top * plane.shape[0] // before.size[0]
                assert np.array_equal(plane[:rows], original[:rows])
    assert report["look_first"]
    assert {look["frame"] for look in report["look_first"]} <= set(range(len(coded)))


def test_where_a_face_leaves_the_picture_a_person_is_asked_to_look(stage):
    pictures = performance()[:24]
    behind = np.full_like(pictures[0], 90)
    moved = [np.hstack([behind, picture])[:, -288 - 9 * step :][:, :288] for step, picture in enumerate(pictures)]
    outcome, report = swapped(stage, make_clip_of(stage.folder / "leaves.mp4", moved))
    (person,) = report["persons"]
    tracked = person["frames"]["tracked"]
    assert 3 < tracked < len(moved)
    assert [look["frame"] for look in report["look_first"] if "out of it" in look["why"]] == [tracked]
    assert "Person 1 comes into sight or goes out of it" in outcome.sentence


@pytest.mark.parametrize(
    ("aspect", "is_told"), [(Fraction(16, 15), False), (Fraction(4, 3), True), (Fraction(3, 4), True)]
)
def test_pixels_that_are_not_square_are_told(stage, aspect, is_told):
    source = performer_clip(stage.folder / "dv.mp4", replace(RICH, size=(288, 288), rotation=0, sample_aspect=aspect))
    outcome, _ = swapped(stage, source)
    assert ("not square" in outcome.sentence) == is_told


@pytest.mark.parametrize("casts", [{1: DONOR}, {1: DONOR, 2: DONOR}])
def test_a_performer_in_a_mirror_who_is_not_cast_is_told(stage, casts):
    pictures = [np.hstack([picture, picture[:, ::-1]]) for picture in performance()[:12]]
    outcome, _ = swapped(stage, make_clip_of(stage.folder / "mirror.mp4", pictures), casts=casts)
    assert ("Person 2, who is not cast, looks like person 1" in outcome.sentence) == (len(casts) == 1)


def test_a_cut_is_no_reason_to_look(stage):
    empty = cv2.resize(np.random.default_rng(3).integers(0, 255, (9, 9, 3), np.uint8), (288, 288))
    outcome, report = swapped(stage, make_clip_of(stage.folder / "cut.mp4", [*performance()[:12], *[empty] * 12]))
    assert report["persons"][0]["frames"]["tracked"] == 12
    assert "sight" not in outcome.sentence


def test_a_plain_swap_reports_likeness_calm_timing_and_marks(stage):
    source = performer_clip(stage.folder / "phone.mp4", replace(RICH, size=(288, 288), rotation=0))
    outcome, report = swapped(stage, source)
    (person,) = report["persons"]
    assert person["coverage"] == 1
    assert person["faded"] == []
    assert person["identity"]["nearer_to_donor"] == len(person["identity"]["samples"]) > 0
    assert person["identity"]["to_donor"] < 0.6
    assert person["flicker"]["samples"] > 0
    assert 0.2 < person["flicker"]["ratio"] < 2
    assert report["timing"]["is_exact"]
    assert report["timing"]["frames_result"] == len(VARIABLE_RATE)
    assert report["timing"]["end_result_s"] == pytest.approx(report["timing"]["end_footage_s"], abs=0.001)
    assert [text.split()[0] for text in report["streams"]["result"]][:3] == ["audio", "audio", "subtitle"]
    assert report["verdict"] == "valid"
    assert {mark["check"] for mark in report["marks"]} >= {"label", "metadata", "manifest", "consent"}
    assert "Person" not in outcome.sentence
    assert expand([stage.folder / "out", source]) == (source,)


def test_the_report_of_a_resumed_job_is_the_one_of_an_uninterrupted_run(stage, monkeypatch):
    stage = stage.with_one_worker()
    shows_only_the_front(stage)
    monkeypatch.setattr(job, "CHUNK_FRAMES", 16)
    source = turning(stage.folder / "turns.mp4")
    _, whole = swapped(stage, source, output=stage.folder / "whole")
    encode = render.write_chunk

    def dying(marked, source, settings, path):
        if path.name == "chunk-00003.mp4":
            raise KeyboardInterrupt
        return encode(marked, source, settings, path)

    monkeypatch.setattr(render, "write_chunk", dying)
    with pytest.raises(KeyboardInterrupt):
        swap(stage.house, stage.request(source), Silent())
    monkeypatch.setattr(render, "write_chunk", encode)
    _, resumed = swapped(stage, source, resume=True)
    (one,), (other,) = whole["persons"], resumed["persons"]
    assert one == other
    assert one["faded"]


def test_the_page_shows_labelled_pictures_and_loads_nothing(stage):
    source = performer_clip(stage.folder / "scene.mp4", count=24)
    outcome, _ = swapped(stage, source, report=True)
    page = outcome.output.with_name("scene.bianlian.mp4.report.html").read_text()
    pictures = [part.split('"')[0] for part in page.split("data:image/jpeg;base64,")[1:]]
    assert pictures
    assert "http" not in page.replace("http-equiv", "")
    assert "AI合成" in page
    for encoded in pictures:
        path = stage.folder / "picture.jpg"
        path.write_bytes(base64.b64decode(encoded))
        assert len(read_labels(path).labels) == 1
        assert Image.open(BytesIO(path.read_bytes())).height > 300


def test_what_was_not_asked_for_at_first_is_said_to_be_missing(stage):
    source = performer_clip(stage.folder / "scene.mp4", count=8)
    swapped(stage, source)
    (again,) = swap(stage.house, stage.request(source, report=True), Silent()).outcomes
    assert again.status is Status.SKIPPED
    assert "no page" in again.sentence


def test_a_refused_result_leaves_no_report(stage, monkeypatch):
    from bianlian.workflows import swap_file  # noqa: PLC0415

    def refuse(*_, **__):
        raise ContentRefused("no", code="content-result")

    monkeypatch.setattr(swap_file, "checked", refuse)
    source = performer_clip(stage.folder / "scene.mp4", count=8)
    (outcome,) = swap(stage.house, stage.request(source, report=True), Silent()).outcomes
    assert outcome.status is Status.REFUSED
    assert not [path for path in (stage.folder / "out").rglob("*") if path.is_file() and path.suffix != ".lock"]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_stamps_are_read_without_decoding(tmp_path, suffix):
    recipe = replace(Recipe(), stamps=(0, 512, 1536, 2048, 4096, 4608))
    path = make_clip(tmp_path / f"clip{suffix}", recipe)
    stamps = stamps_of(path)
    decoded = [frame.instant.exact for frame in frames(describe(path))]
    assert [pts * stamps.time_base for pts in stamps.pts.tolist()] == decoded
    assert set(stamps.keys.tolist()) <= set(stamps.pts.tolist())
    assert stamps.keys[0] == stamps.pts[0]


def previewed(stage, source, name="sheet.png", **options):
    request = PreviewRequest(
        footage=source, sheet=stage.folder / name, casts={1: DONOR}, performer=stage.performer, level="draft", **options
    )
    return preview(stage.house, request, Silent())


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_preview_is_a_marked_result(stage, suffix):
    source = performer_clip(stage.folder / "scene.mp4", count=40)
    drawn = previewed(stage, source, f"sheet{suffix}", frames=4)
    assert len(drawn.indices) == 4
    (verdict,) = verify_files(stage.house, [drawn.sheet], page=None, reporter=Silent())
    assert verdict.state is State.VALID, verdict.reason
    found = {finding.check for finding in verdict.findings if finding.outcome.value == "found"}
    assert found >= {"label", "metadata", "manifest", "consent"}
    assert any(entry.facts["job"] for entry in stage.house.donors.ledger.entries("release"))
    sheet = rgb_from_frame(next(frames(describe(drawn.sheet))))
    above, below = sheet[8:368, 8:368].astype(int), sheet[376:736, 8:368].astype(int)
    assert np.abs(above - below)[120:240, 120:240].mean() > 3 * np.abs(above - below)[:20].mean()
    assert [path.name for path in stage.folder.iterdir() if "sheet" in path.name] == [drawn.sheet.name]
    assert previewed(stage, source, f"sheet{suffix}", frames=4).indices == drawn.indices


def test_a_preview_does_not_take_the_place_of_other_files(stage):
    source = performer_clip(stage.folder / "scene.mp4", count=12)
    (stage.folder / "sheet.png").write_bytes(b"mine")
    with pytest.raises(CallerError):
        previewed(stage, source)
    assert (stage.folder / "sheet.png").read_bytes() == b"mine"


def test_a_preview_needs_consent_like_a_swap(stage):
    source = performer_clip(stage.folder / "scene.mp4", count=12)
    stage.performer.write_text(stage.performer.read_text().replace('project = "Bianlian demo"', 'project = "Other"'))
    with pytest.raises(ConsentRefused) as refusal:
        previewed(stage, source)
    assert refusal.value.code == "scope-project"
    assert not (stage.folder / "sheet.png").exists()


def test_two_persons_can_be_measured(stage):
    source = two_persons(stage.folder / "two.mp4", count=12)
    _, report = swapped(stage, source, casts={1: DONOR, 2: DONOR})
    assert [person["person"] for person in report["persons"]] == [1, 2]


def read16(path):
    return cv2.cvtColor(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), cv2.COLOR_BGR2RGB)


def test_patches_put_over_the_footage_give_the_result(stage, monkeypatch):
    stage = stage.with_one_worker()
    source = performer_clip(stage.folder / "scene.mp4", count=12)
    coded = watched(monkeypatch)
    outcome, _ = swapped(stage, source, patches=stage.folder / "patches")
    folder = stage.folder / "patches" / outcome.output.name
    index = json.loads((folder / "patches.json").read_text())
    assert check_patches(folder, stage.house.donors.installation) == len(index["patches"]) == 12
    assert expand([stage.folder / "patches", source]) == (source,)
    (layer,) = index["labels"]
    for row, before in zip(index["patches"], frames(describe(source)), strict=True):
        marked = coded[row["frame"]]
        assert row["pts"] == before.instant.pts
        picture = rgb_float_from_frame(before).clip(0, 1)
        there = slice(row["top"], row["top"] + row["height"]), slice(row["left"], row["left"] + row["width"])
        patch = read16(folder / row["file"])[: row["height"], : row["width"]]
        matte = cv2.imread(str(folder / row["matte"]), cv2.IMREAD_UNCHANGED)
        assert patch.dtype == matte.dtype == np.uint16
        assert matte.shape == (row["height"], row["width"])
        picture[there] = np.where(matte[..., None] > 0, patch / np.float32(65535), picture[there])
        plate = cv2.imread(str(folder / layer["file"]), cv2.IMREAD_UNCHANGED) / np.float32(65535)
        rows, columns = plate.shape[:2]
        under = picture[layer["top"] :, layer["left"] :][:rows, :columns]
        under[:] = under * (1 - plate[..., 3:]) + plate[..., :3] * plate[..., 3:]
        difference = np.abs(picture - rgb_float_from_frame(marked.frame).clip(0, 1))
        assert difference.mean() < 0.001
        # Where two pixels share a chroma sample, one inside and one outside of matte or letter, they differ a little.
        on_label = difference[layer["top"] - 2 :, layer["left"] - 2 :][: rows + 4, : columns + 4]
        assert on_label.mean() < 0.02
        assert on_label.max() < 0.2
        on_label[:] = 0
        assert np.quantile(difference, 0.999) < 0.02
        turn = np.array(row["image_from_face"])
        nose = marked.composite.faces[0].points_image[5, :2]
        assert np.linalg.norm(turn @ [127.5, 115.3, 1] - nose) < 0.2 * row["height"]


def test_every_picture_of_the_patches_carries_the_label_and_changes_are_noticed(stage):
    source = performer_clip(stage.folder / "scene.mp4", count=12)
    outcome, _ = swapped(stage, source, patches=stage.folder / "patches")
    folder = stage.folder / "patches" / outcome.output.name
    pictures = sorted(folder.glob("*.png"))
    assert len(pictures) == 25
    for picture in pictures:
        (label,) = read_labels(picture).labels
        assert label.label == "1"
    strip = read16(folder / "000000-1.bianlian.png")[-30:]
    assert (strip > 60000).mean() > 0.02  # the visible text, outside the matte
    patch = read16(pictures[2])
    cv2.imwrite(str(pictures[2]), patch)
    with pytest.raises(UnreadableMedia, match="changed"):
        check_patches(folder, stage.house.donors.installation)


def test_a_resumed_job_has_all_its_patches(stage, monkeypatch):
    stage = stage.with_one_worker()
    monkeypatch.setattr(job, "CHUNK_FRAMES", 8)
    source = performer_clip(stage.folder / "scene.mp4", count=24)
    encode = render.write_chunk

    def dying(marked, source, settings, path):
        if path.name == "chunk-00002.mp4":
            raise KeyboardInterrupt
        return encode(marked, source, settings, path)

    monkeypatch.setattr(render, "write_chunk", dying)
    with pytest.raises(KeyboardInterrupt):
        swap(stage.house, stage.request(source), Silent())
    assert not (stage.folder / "patches").exists()
    monkeypatch.setattr(render, "write_chunk", encode)
    outcome, _ = swapped(stage, source, resume=True, patches=stage.folder / "patches")
    assert check_patches(stage.folder / "patches" / outcome.output.name, stage.house.donors.installation) == 24


def test_a_withdrawn_consent_leaves_no_patches(stage, monkeypatch):
    from bianlian.workflows import swap_file  # noqa: PLC0415

    check = swap_file.checked

    def checked_then_withdrawn(house, *rest, **options):
        seen = check(house, *rest, **options)
        house.donors.revoke(DONOR, house.clock())
        return seen

    monkeypatch.setattr(swap_file, "checked", checked_then_withdrawn)
    source = performer_clip(stage.folder / "scene.mp4", count=8)
    (outcome,) = swap(stage.house, stage.request(source, patches=stage.folder / "patches"), Silent()).outcomes
    assert (outcome.status, outcome.code) == (Status.REFUSED, "revoked")
    assert not list((stage.folder / "patches").rglob("*.png"))
    assert not list((stage.folder / "out").rglob("*.png"))
