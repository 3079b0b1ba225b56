#!/usr/bin/env python3
"""Feed mutated files to everything that reads a file from outside, and count what comes of it.

    fuzz.py --home HOME --donor NAME [--count 1000] [--seed 0] [--only WORD] FILE...

FILEs are small videos and pictures, plain and finished ones. HOME holds a learnt donor and a track; it is read only. Each reader
runs in a process of its own. It may accept an input or refuse it with one of the program's errors; anything else, a crash of
the process and more than 20 s for one input are findings, and the input is kept beside the table's line. Exit 1: findings.
"""

import argparse
import faulthandler
import hashlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

LONGEST_S = 20
NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF)
WORDS = (
    *(b"{", b"}", b"[", b"]", b'"', b"null", b"-1", b"1e999", b"NaN", b"9" * 400, b"=", b"\n", b"&b;"),
    *(b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"../../x", b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"." * 70, b"[" * 3000),
    *(b"2026-13-45", b"0001-01-01T00:00:00Z"),
)
FIRST = 4096
"""Bytes of a file's head and tail that are hit more often: headers and tables lie there."""


def mutated(content: bytes, rng: random.Random) -> bytes:
    """A copy with one to a dozen changes: bits, numbers, words, holes, doublings, cuts."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 12))):
        if not data:
            break
        reach = len(data) if rng.random() < 0.4 else min(FIRST, len(data))
        place = rng.randrange(reach) if rng.random() < 0.7 else len(data) - 1 - rng.randrange(reach)
        length = min(rng.choice((1, 2, 4, 8, 64, 1000)), len(data) - place)
        change = rng.randrange(7)
        if change == 0:
            data[place] ^= 1 << rng.randrange(8)
        elif change == 1:
            size = rng.choice((1, 2, 4, 8))
            value = rng.choice(NUMBERS) & ((1 << 8 * size) - 1)
            data[place : place + size] = value.to_bytes(size, rng.choice(("big", "little")))
        elif change == 2:
            data[place : place + rng.choice((0, length))] = rng.choice(WORDS)
        elif change == 3:
            del data[place : place + length]
        elif change == 4:
            data[place:place] = data[place : place + length]
        elif change == 5:
            data[place : place + length] = rng.randbytes(length)
        elif rng.random() < 0.3:
            del data[place:]
    return bytes(data)


Reader = Callable[[Path], object]
"""Reads a file; what it returns does not matter."""


def decoded(path: Path) -> object:
    from bianlian.media.decode import frames  # noqa: PLC0415
    from bianlian.media.probe import describe  # noqa: PLC0415

    return list(islice(frames(describe(path)), 4))


def marks_read(path: Path) -> object:
    from bianlian.marking.manifest.reading import read_manifest  # noqa: PLC0415
    from bianlian.marking.reading import read_labels  # noqa: PLC0415

    return read_labels(path), read_manifest(path, b"")


def targets(home: Path, donor: str, files: list[Path], folder: Path) -> Iterator[tuple[str, Path, Reader]]:
    """Name, a good input, and the reader of each kind of file that comes from outside."""
    from bianlian.config import Settings  # noqa: PLC0415
    from bianlian.donors import revocation  # noqa: PLC0415
    from bianlian.donors.challenge import new_challenge, parse_challenge  # noqa: PLC0415
    from bianlian.donors.performer import example_performer, parse_production  # noqa: PLC0415
    from bianlian.donors.receipts import verify_receipt  # noqa: PLC0415
    from bianlian.donors.scope import example_scope, parse_scope  # noqa: PLC0415
    from bianlian.records.appearance import Appearance  # noqa: PLC0415
    from bianlian.verification.pixels import NoWatermarkKeys  # noqa: PLC0415
    from bianlian.verification.verifier import References, Verifier  # noqa: PLC0415
    from bianlian.workflows.house import open_house  # noqa: PLC0415

    house = open_house(Settings(home=home, weights=folder, workers=1))
    key, now = house.donors.installation.public_key, datetime.now(UTC)

    def kept(name: str, content: bytes) -> Path:
        path = folder / name
        path.write_bytes(content)
        return path

    for file in files:
        yield f"{file.name}, decoded", file, decoded
        if file.stat().st_size < 1 << 17:
            yield f"{file.name}, marks", file, marks_read
            roots = (home / "keys" / "signing" / "root.pem").read_bytes()
            no_keys = NoWatermarkKeys(reason="not here")
            references = References(roots_pem=roots, outputs=lambda: (), consent_of=consent_unknown, watermark=no_keys)
            yield f"{file.name}, verified", file, Verifier(references).examine
    receipt = next((home / "receipts").iterdir())
    drawn = new_challenge(house.donors.installation, now, random.Random(1))
    yield "challenge", kept("challenge.json", drawn.document), lambda path: parse_challenge(path.read_bytes())
    yield (
        "scope",
        kept("scope.toml", example_scope(now).encode()),
        lambda path: parse_scope(path.read_bytes().decode("utf-8", "replace")),
    )
    yield (
        "performer",
        kept("performer.toml", example_performer().encode()),
        lambda path: parse_production(path.read_bytes()),
    )
    yield "receipt", kept("receipt.json", receipt.read_bytes()), lambda path: verify_receipt(path.read_bytes(), key)
    listed = (home / "status-list.jwt").read_bytes()
    yield "status list", kept("list.jwt", listed), lambda path: revocation.read(path.read_bytes(), key)
    person = house.donors.find(donor)
    learnt = house.donors.vault.read(person.id, "appearance-standard")
    yield "appearance", kept("appearance", learnt), lambda path: Appearance.from_bytes(path.read_bytes())
    track = next((home / "tracks").glob("*.track"))
    for name in ("track.json", "persons.npz", "chunk-00000.npz"):
        yield f"track's {name}", track / name, track_reader(track, name, folder / f"{name}.track")


def consent_unknown(job_id: str) -> object:
    from bianlian.verification.claims import Consent, ConsentState  # noqa: PLC0415

    return ConsentState(consent=Consent.UNKNOWN, reason=f"nobody knows {job_id}")


def track_reader(track: Path, name: str, scratch: Path) -> Reader:
    """Reads a track in which one file was exchanged, and the index was made to agree: the hashes do not protect the parser."""
    from bianlian.tracking.store import INDEX, TrackReader  # noqa: PLC0415

    shutil.copytree(track, scratch, dirs_exist_ok=True)

    def read(path: Path) -> object:
        content = path.read_bytes()
        (scratch / name).write_bytes(content)
        if name != INDEX:
            index = (track / INDEX).read_text()
            was, now = (hashlib.sha256(data).hexdigest() for data in ((track / name).read_bytes(), content))
            (scratch / INDEX).write_text(index.replace(was, now))
        reader = TrackReader(scratch)
        return list(reader.faces(0, min(reader.info.frame_count, 8)))

    return read


def campaign(name: str, good: Path, read: Reader, count: int, seed: int, folder: Path) -> int:
    """Feed `count` mutations to a reader; prints the tally and returns the number of findings."""
    from bianlian.errors import BianlianError  # noqa: PLC0415

    rng, content, tally, slowest = random.Random(f"{seed} {name}"), good.read_bytes(), Counter[str](), 0.0
    path = folder / f"input{good.suffix}"
    for number in range(count):
        path.write_bytes(mutated(content, rng))
        faulthandler.dump_traceback_later(LONGEST_S, exit=True)
        began = time.monotonic()
        try:
            read(path)
            tally["accepted"] += 1
        except BianlianError as error:
            tally[type(error).__name__] += 1
        except Exception as error:  # noqa: BLE001 - finding them is the purpose
            tally[f"FINDING {type(error).__name__}: {str(error)[:60]}"] += 1
            shutil.copy(path, folder / f"finding-{number}{good.suffix}")
        faulthandler.cancel_dump_traceback_later()
        slowest = max(slowest, time.monotonic() - began)
    said = ", ".join(f"{value} {key}" for key, value in tally.most_common())
    print(f"{name} | {count} | {said} | slowest {slowest:.2f} s", flush=True)
    return sum(value for key, value in tally.items() if key.startswith("FINDING"))


def main() -> int:
    """Run every target in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--donor", required=True)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="")
    parser.add_argument("--target", help=argparse.SUPPRESS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        listed = targets(given.home, given.donor, given.files, Path(scratch))
        if given.target:
            kept = Path(tempfile.mkdtemp(prefix="fuzzing-"))
            found = sum(
                campaign(name, good, read, given.count, given.seed, kept)
                for name, good, read in listed
                if name == given.target
            )
            if not found:
                shutil.rmtree(kept)
            else:
                print(f"  inputs: {kept}")
            return min(found, 1)
        names = [name for name, _, _ in listed if given.only in name]
    failed = 0
    for name in names:
        done = subprocess.run(
            [sys.executable, *sys.argv, "--target", name], check=False, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
        failed += done.returncode != 0
        if done.returncode not in (0, 1):
            print(f"{name} | CRASH or hang: exit code {done.returncode}", flush=True)
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
