"""A receipt as a page that a person can read, print and sign, in Chinese or English."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape

from bianlian.donors.acts import CHINESE, ENGLISH
from bianlian.donors.notices import shipped
from bianlian.donors.receipts import Receipt, readable


def receipt_page(receipt: Receipt, language: str) -> str:
    """The page as HTML that needs nothing else. `language` is "en" or "zh"."""
    words: dict[str, str] = json.loads(shipped(f"receipt.{language}.json"))
    body = readable(receipt)
    scope, collected = body["scope"], body["collected"]
    acts = CHINESE if language == "zh" else ENGLISH
    thumbprints = [body["principal"]["thumbprint"], body["controller"]["installation"]]

    def joined(values: Sequence[str]) -> str:
        return escape(", ".join(values)) or words["any"]

    rows = {
        "receipt": f"<code>{escape(receipt.id)}</code>",
        "given": escape(body["created"]),
        "donor": f"<code>{escape(receipt.donor_id)}</code>",
        "controller": escape(f"{body['controller']['name']} ({body['controller']['contact']})"),
        "purposes": joined(scope["purposes"]),
        "projects": joined(scope["projects"]),
        "files": joined(scope["files"]),
        "publication": escape(scope["publication"]),
        "regions": joined(scope["regions"]),
        "term": escape(f"{scope['from']} – {scope['until']}"),
        "uses": str(scope["max_uses"]),
        "prohibited": joined(scope["prohibited"]),
        "work": words["yes" if scope["artistic_work"] else "no"],
        "adult": words["yes"],
        "acts": joined([acts[act] for act in collected["acts"]]),
        "level": escape(collected["level"]),
        "notice": f"<code>{escape(body['notice']['sha256'])}</code>",
        "recording": f"<code>{escape(collected['recording_sha256'])}</code>",
        "template": f"<code>{escape(collected['face_template_commitment'])}</code>",
        "signed": "<br>".join(f"<code>{escape(key)}</code>" for key in thumbprints),
    }
    how = words["how"].format(id=escape(receipt.id), contact=escape(body["controller"]["contact"]))
    return shipped("receipt.html").format(
        language=language, title=words["title"], withdraw=words["withdraw"], how=how, check=words["check"],
        rows="\n".join(f"<tr><th>{words[name]}<td>{value}" for name, value in rows.items()),
        document=escape(json.dumps(json.loads(receipt.document), indent=1)),
    )  # fmt: skip
