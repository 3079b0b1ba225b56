"""The report as one page with pictures: HTML that needs nothing else, and never loads anything."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from html import escape
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bianlian.marking.manifest.facts import SourceType
from bianlian.marking.xmp import xmp_packet
from bianlian.records.donor import stamp
from bianlian.workflows.notes import Second
from bianlian.workflows.quality import Pair, pairs_at
from bianlian.workflows.report import Facts, Look, looks, report_json, sentence_of

_QUALITY = 82
"""JPEG quality of the pictures."""
_PICTURED = 6
"""Frames to look at that get a picture."""
_LISTED = 20
"""Faded passages that the page lists; the JSON has more."""
_COLUMNS = 600
"""Points of the curve."""


def report_page(facts: Facts, track: Path) -> str:
    """The page; decodes the frames that it shows anew.

    Args:
        track: folder of the footage's track.
    """
    document, packet = report_json(facts), xmp_packet(facts.label, SourceType.TRAINED.value)
    chosen = looks(facts)[:_PICTURED]
    shown = pairs_at(facts.source, track, facts.measures.result.path, [look.frame for look in chosen])
    page = (files("bianlian.workflows") / "quality.html").read_text("utf-8")
    return page.format(
        result=escape(facts.output.name), job=facts.job_id, level=escape(facts.level), when=stamp(facts.when),
        looks=_figures(zip(shown, map(_caption, chosen), strict=True), packet) or "<p>Nothing stands out.</p>",
        strip=_figures(((pair, f"frame {pair.frame}, {pair.seconds:.2f} s") for pair in facts.measures.pairs), packet),
        persons="\n".join(_person(facts, person) for person in document["persons"]),
        facts="\n".join(_rows(document)),
    )  # fmt: skip


def _caption(look: Look) -> str:
    return f"frame {look.frame}, {look.seconds:.2f} s, person {look.person}: {look.why}"


def _figures(pairs: Iterable[tuple[Pair, str]], packet: bytes) -> str:
    return "\n".join(_figure(pair, caption, packet) for pair, caption in pairs)


def _figure(pair: Pair, caption: str, packet: bytes) -> str:
    both = np.vstack([pair.before, pair.after])
    out = BytesIO()
    Image.fromarray(both).save(out, "JPEG", quality=_QUALITY, xmp=packet)
    source = f"data:image/jpeg;base64,{b64encode(out.getvalue()).decode()}"
    height, width = both.shape[:2]
    return (
        f'<figure><img width="{width}" height="{height}" alt="footage above, result below" src="{source}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _person(facts: Facts, person: dict[str, Any]) -> str:
    summary = facts.summaries[person["person"]]
    frames, identity, flicker = person["frames"], person["identity"], person["flicker"]
    rows = [
        ("Frames", f"{frames['tracked']} tracked: {frames['drawn']} drawn in full, {frames['faded']} faded in part, "
                   f"{frames['gone']} left as they were, {frames['not_placed']} not placed"),
        ("Coverage", f"{person['coverage']:.1%} drawn in full"),
        ("Identity", _identity(identity)),
        ("Restlessness", f"{flicker['result']} levels, footage {flicker['footage']}: {flicker['ratio']} times"
                         if flicker["samples"] else "not measured: the face is not in five frames in a row"),
    ]  # fmt: skip
    faded = [f"<li>{escape(sentence_of(passage))}" for passage in summary.passages[:_LISTED]]
    rest = summary.passage_count - len(faded)
    more = f"<li>and {rest} more" if rest > 0 else ""
    table = "\n".join(f"<tr><th>{name}<td>{escape(value)}" for name, value in rows)
    passages = f"<ul>{''.join(faded)}{more}</ul>" if faded else "<p>No passage fades.</p>"
    return (
        f"<h2>Person {person['person']} · 人物 {person['person']}</h2>\n<table><tbody>\n{table}\n</table>\n"
        f"<p>Confidence over time, mean and least of each second:</p>\n{_curve(summary.seconds)}\n{passages}"
    )


def _identity(identity: dict[str, Any]) -> str:
    if not identity["samples"]:
        return "not measured: the face is in none of the frames looked at"
    return (
        f"{identity['to_donor']} to the donor, {identity['to_performer']} to the performer; nearer to the donor in "
        f"{identity['nearer_to_donor']} of {len(identity['samples'])} frames"
    )


def _curve(seconds: list[Second]) -> str:
    """Confidence over time; where there are more seconds than points, the least of those that share one."""
    step = max(1, -(-len(seconds) // _COLUMNS))
    groups = [seconds[at : at + step] for at in range(0, len(seconds), step)]
    width = max(1, len(groups) - 1)

    def line(values: list[float], colour: str) -> str:
        points = " ".join(
            f"{at},{1 - value:.3f}" for at, value in enumerate(values * 2 if len(values) == 1 else values)
        )
        return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2" vector-effect="non-scaling-stroke"/>'

    mean = line([min(one.mean for one in group) for group in groups], "var(--ink)")
    least = line([min(one.least for one in group) for group in groups], "var(--warn)")
    return f'<svg viewBox="0 -0.05 {width} 1.1" preserveAspectRatio="none">{least}{mean}</svg>'


def _rows(document: dict[str, Any]) -> Iterable[str]:
    timing, streams = document["timing"], document["streams"]
    exact = "every picture is shown when the footage shows it" if timing["is_exact"] else "the stamps differ"
    yield _row("Timing", f"{exact}: {timing['frames_footage']} and {timing['frames_result']} pictures, largest shift "
                         f"{timing['largest_shift_s']:.6f} s; ends at {timing['end_footage_s']:.3f} s and "
                         f"{timing['end_result_s']:.3f} s")  # fmt: skip
    yield _row("Streams", ", ".join(streams["result"]) or "none beside the pictures")
    for sentence in streams["dropped"]:
        yield _row("Left out", sentence)
    yield _row("Verdict", document["verdict"])
    for mark in document["marks"]:
        yield _row(mark["check"], f"{mark['outcome']}: {mark['sentence']}")


def _row(name: str, value: str) -> str:
    return f"<tr><th>{escape(name)}<td>{escape(value)}"
