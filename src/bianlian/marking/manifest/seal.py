"""Signing a manifest into a file: the last thing that is put in, because any later change breaks it."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import nullcontext
from pathlib import Path

from bianlian.errors import BianlianError, InstallationError, InternalError
from bianlian.marking.certificates import ManifestSigner
from bianlian.marking.manifest.claim import SETTINGS, definition, footage_ingredient
from bianlian.marking.manifest.facts import ManifestFacts
from bianlian.marking.mp4_boxes import xmp_appended
from bianlian.marking.xmp import source_type_packet


def seal(draft: Path, sealed: Path, facts: ManifestFacts, signer: ManifestSigner) -> None:
    """Write a copy of `draft` with its manifest to `sealed`; the name appears only when it is whole.

    A video also gets IPTC's source type as XMP, as an image has it already: the manifest covers both.

    Raises:
        InstallationError: the signer could not sign, or the disk is full.
        InternalError: the library refused. Either way the draft is as it was.
    """
    import c2pa  # noqa: PLC0415 - a 23 MB native library

    context = c2pa.Context.from_dict({"builder": {"thumbnail": {"enabled": False}}, **SETTINGS})
    footage = footage_ingredient(facts)
    is_readable = footage["format"] in c2pa.Reader.get_supported_mime_types()
    claim = definition(facts, () if is_readable else (footage,))
    # The library truncates a file that is both source and target, and writes its target in place.
    part = sealed.with_name(f".part-{sealed.name}")
    part.unlink(missing_ok=True)
    sign = _Witness(signer)
    try:
        with (
            c2pa.Builder(json.dumps(claim), context) as builder,
            c2pa.Signer.from_callback(sign, c2pa.C2paSigningAlg.ES256, signer.chain_pem.decode()) as signing,
        ):
            if is_readable:  # then a manifest that it has goes along
                with facts.source.open("rb") as file:
                    builder.add_ingredient(json.dumps(footage), footage["format"], file)
            with nullcontext() if facts.is_image else xmp_appended(draft, source_type_packet(facts.source_type.value)):
                builder.sign_file(draft, part, signing)
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(sealed)
    except c2pa.C2paError as error:
        if sign.failure:
            raise sign.failure from error
        if shutil.disk_usage(sealed.parent).free < draft.stat().st_size:  # the library says anything but this
            raise InstallationError(
                f"{sealed.name} could not be written: the disk is full.",
                advice="Free some space and run the command again; finished parts are kept.",
            ) from error
        raise InternalError(f"the manifest could not be signed: {error}") from error
    finally:
        part.unlink(missing_ok=True)


class _Witness:
    """Calls the signer and remembers why it failed: the library passes on no errors of callbacks."""

    def __init__(self, signer: ManifestSigner) -> None:
        self._signer = signer
        self.failure: BianlianError | None = None

    def __call__(self, message: bytes) -> bytes:
        try:
            return self._signer.sign(message)
        except BianlianError as error:
            self.failure = error
            raise
