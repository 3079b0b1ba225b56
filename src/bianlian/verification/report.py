"""An examination as one page that a person can read: HTML that needs nothing else, and never loads anything."""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime
from html import escape
from importlib.resources import files

import cv2

from bianlian.records.donor import stamp
from bianlian.records.verdict import Finding, Outcome, State
from bianlian.verification.pixels import Still
from bianlian.verification.verifier import Examination

_STATES = {State.VALID: "有效", State.ALTERED: "已改动", State.WITHDRAWN: "同意已撤回", State.UNKNOWN: "未知"}
_OUTCOMES = {Outcome.FOUND: "有", Outcome.ABSENT: "无", Outcome.BROKEN: "不符", Outcome.NOT_CHECKED: "未查"}
_CHECKS = {
    "label": "显式标识", "metadata": "元数据标识", "manifest": "签名清单", "trust": "签名信任", "watermark": "数字水印",
    "fingerprint": "指纹", "consent": "同意",
}  # fmt: skip
_QUALITY = 80
"""JPEG quality of the stills."""


def verdict_page(examination: Examination, *, now: datetime) -> str:
    """The page for one file."""
    verdict = examination.verdict
    page = (files("bianlian.verification") / "page.html").read_text("utf-8")
    return page.format(
        file=escape(verdict.file), state=verdict.state.value, state_zh=_STATES[verdict.state],
        reason=escape(verdict.reason), rows="\n".join(map(_row, verdict.findings)), when=stamp(now),
        stills="\n".join(map(_figure, examination.stills)) or "<p>The pictures could not be read.</p>",
    )  # fmt: skip


def _row(finding: Finding) -> str:
    details = "; ".join(f"{name.replace('_', ' ')}: {value}" for name, value in finding.details)
    return (
        f"<tr><th>{escape(finding.check)}<br>{_CHECKS.get(finding.check, '')}"
        f"<td>{finding.outcome.value}<br>{_OUTCOMES[finding.outcome]}"
        f"<td>{escape(finding.sentence)}<small>{escape(finding.technique)}</small><small>{escape(details)}</small>"
        f"<td>{escape(finding.confidence)}"
    )


def _figure(still: Still) -> str:
    _, jpeg = cv2.imencode(".jpg", still.rgb[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, _QUALITY))
    height, width = still.rgb.shape[:2]
    picture = f'<img width="{width}" height="{height}" alt="" src="data:image/jpeg;base64,{b64encode(jpeg).decode()}">'
    return f"<figure>{picture}<figcaption>{escape(still.caption)}</figcaption></figure>"
