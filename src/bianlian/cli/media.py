"""`people`, `swap`, `verify` and `bench`: what is done with footage and files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bianlian.cli.output import print_json, print_table, reporting
from bianlian.cli.rooms import house_of, settings_of
from bianlian.errors import CallerError

PATH = click.Path(path_type=Path, readable=False)  # what may not be read is one file's failure, not the request's
FOLDER = click.Path(path_type=Path, file_okay=False, readable=False)
CORNERS = click.Choice(["auto", "bottom-left", "bottom-right", "top-left", "top-right"])
LEVELS = click.Choice(["draft", "standard", "fine"])


@click.command()
@click.argument("footage", type=PATH)
@click.option("-o", "--output", type=PATH, help="Draw a contact sheet of the numbered persons (PNG or JPEG).")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def people(context: click.Context, footage: Path, output: Path | None, as_json: bool) -> None:
    """Who is in the footage: numbered persons, when they are seen, and a contact sheet."""
    from bianlian.workflows.people import people as run  # noqa: PLC0415

    with reporting(quiet=as_json) as reporter:
        rows = run(house_of(context), footage, sheet=output, reporter=reporter)
    if as_json:
        print_json(rows)
        return
    print_table(["person", "from", "to", "frames", "best at"], [[str(value) for value in row.values()] for row in rows])
    if output:
        click.echo(f"Contact sheet: {output}")


@click.command()
@click.argument("footage", type=PATH, nargs=-1, required=True)
@click.option("-o", "--output", type=FOLDER, required=True, help="Folder for the results.")
@click.option(
    "--cast", multiple=True, required=True, metavar="N=NAME", help="Person N gets donor NAME; may be repeated."
)
@click.option(
    "--performer", type=PATH, required=True, help="On what basis the person is replaced, and what for (TOML)."
)
@click.option("--level", type=LEVELS, default="standard", show_default=True)
@click.option("--resume", is_flag=True, help="Go on where a stopped run of the same request was.")
@click.option("--container", type=click.Choice(["mp4", "mov"]), help="Of video results; else mp4, and mov for mov.")
@click.option("--codec", type=click.Choice(["h264", "hevc"]), default="h264", show_default=True)
@click.option("--crf", type=click.FloatRange(0, 51), default=18.0, show_default=True, help="Quality: lower is better.")
@click.option("--label-language", type=click.Choice(["zh", "en", "zh+en"]), default="zh", show_default=True)
@click.option(
    "--label-corner",
    type=CORNERS,
    default="auto",
    show_default=True,
    help="Another is taken where it would cover a face.",
)
@click.option("--label-eu", is_flag=True, help='Besides the text an "AI" mark at the top right (EU profile).')
@click.option(
    "--label-opening", type=float, default=0.0, metavar="SECONDS", help="Label at the opening only: artistic works."
)
@click.option(
    "--patch", type=FOLDER, help="For compositors: folder for the marked face patches, 16-bit PNG with mattes."
)
@click.option(
    "--ray", default="", metavar="ADDRESS", help="Have the workers of a Ray cluster draw; auto: the one around here."
)
@click.option("--profile", is_flag=True, help="Print where the time went, for each file.")
@click.option("--report", is_flag=True, help="Beside each result a page with pictures; its numbers are always written.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def swap(context: click.Context, footage: tuple[Path, ...], as_json: bool, **given: Any) -> None:
    """Replace faces in files or folders: compose, mark, check, release.

    Everybody who is not cast stays as they are. Each file is reported; a bad one does not stop the others.
    """
    from bianlian.workflows.stopwatch import COLUMNS  # noqa: PLC0415
    from bianlian.workflows.swap import SwapRequest  # noqa: PLC0415
    from bianlian.workflows.swap import swap as run  # noqa: PLC0415

    request = SwapRequest(
        footage=footage, output=given["output"], casts=_casts(given["cast"]), performer=given["performer"],
        level=given["level"], resume=given["resume"], suffix=f".{given['container']}" if given["container"] else "",
        codec=given["codec"], crf=given["crf"], label_language=given["label_language"],
        label_corner=given["label_corner"], label_eu=given["label_eu"], label_opening=given["label_opening"],
        report=given["report"], patches=given["patch"], ray=given["ray"],
    )  # fmt: skip
    with reporting(quiet=as_json) as reporter:
        report = run(house_of(context), request, reporter)
    if as_json:
        print_json(report.as_json())
    else:
        for outcome in report.outcomes:
            click.echo(outcome.sentence)
            if given["profile"] and outcome.speed.stages:
                print_table(COLUMNS, outcome.speed.rows(), title=outcome.file.name)
    context.exit(report.exit_code)


@click.command()
@click.argument("footage", type=PATH)
@click.option("-o", "--output", type=PATH, required=True, metavar="SHEET.png", help="The contact sheet to write.")
@click.option(
    "--cast", multiple=True, required=True, metavar="N=NAME", help="Person N gets donor NAME; may be repeated."
)
@click.option("--performer", type=PATH, required=True, help="As for swap (TOML).")
@click.option("--level", type=LEVELS, default="standard", show_default=True)
@click.option("--frames", type=int, default=6, show_default=True, help="How many frames to draw.")
@click.option("--label-language", type=click.Choice(["zh", "en", "zh+en"]), default="zh", show_default=True)
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def preview(context: click.Context, footage: Path, as_json: bool, **given: Any) -> None:
    """Draw a few frames of a swap on a contact sheet: footage above, result below. Permitted and marked like a swap.

    The footage is tracked on first use; the swap then uses the same track.
    """
    from bianlian.workflows.preview import PreviewRequest  # noqa: PLC0415
    from bianlian.workflows.preview import preview as run  # noqa: PLC0415

    request = PreviewRequest(
        footage=footage, sheet=given["output"], casts=_casts(given["cast"]), performer=given["performer"],
        level=given["level"], frames=given["frames"], label_language=given["label_language"],
    )  # fmt: skip
    with reporting(quiet=as_json) as reporter:
        drawn = run(house_of(context), request, reporter)
    if as_json:
        print_json({"sheet": str(drawn.sheet), "frames": drawn.indices, "least_confidence": drawn.least_confidence})
    else:
        click.echo(f"{drawn.sheet}: frames {', '.join(map(str, drawn.indices))}")
        if drawn.least_confidence < 1:
            click.echo("  Some of them fade to the original: the donor's capture does not show that pose.")


@click.command()
@click.argument("files", type=PATH, nargs=-1, required=True)
@click.option("--report", type=PATH, help="Write a page that a person can read (HTML); one file only.")
@click.option("--bundle", type=PATH, help="Verify by another installation's public bundle; no secrets needed.")
@click.option("--installation", default="", help="Id that the bundle must be of.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def verify(context: click.Context, files: tuple[Path, ...], report: Path | None, as_json: bool, **given: Any) -> None:
    """What is this file: label, metadata, manifest, watermark, fingerprint, consent, and one verdict.

    Exits with 0 valid, 1 altered or withdrawn, 2 unknown. Unknown proves nothing about a file.
    """
    from bianlian.workflows.publish import verify_with_bundle  # noqa: PLC0415
    from bianlian.workflows.verify import exit_code, verdict_json, verify_files  # noqa: PLC0415

    if report and len(files) != 1:
        raise CallerError("A page shows one file.", advice="Give one file with --report.")
    with reporting(quiet=as_json) as reporter:
        if given["bundle"]:
            verdicts = verify_with_bundle(house_of(context), files, given["bundle"], installation=given["installation"])
        else:
            verdicts = verify_files(house_of(context), files, page=report, reporter=reporter)
    if as_json:
        print_json([verdict_json(verdict) for verdict in verdicts])
    else:
        for verdict in verdicts:
            click.echo(f"{verdict.file}: {verdict.state.value}. {verdict.reason}")
            for finding in verdict.findings:
                rests_on = f"[{finding.technique}; {finding.confidence}]"
                click.echo(f"  {finding.check:<12} {finding.outcome.value:<12} {finding.sentence} {rests_on}")
    context.exit(exit_code(verdicts))


@click.command()
@click.option(
    "--pack",
    type=FOLDER,
    help="Folder with bN_acts, bN_capture, bN_footage and bN_truth.",
)
@click.option("--level", type=LEVELS, multiple=True, default=["draft", "standard"], show_default=True)
@click.option("--pair", multiple=True, help="Only these pairs, e.g. b1.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def bench(
    context: click.Context, pack: Path | None, level: tuple[str, ...], as_json: bool, pair: tuple[str, ...]
) -> None:
    """Fidelity against exact truth, for each pair of a bench pack, as a table."""
    from bianlian.workflows.bench.run import BenchRequest, default_pack  # noqa: PLC0415
    from bianlian.workflows.bench.run import bench as run  # noqa: PLC0415
    from bianlian.workflows.bench.scores import fidelity_table, performance_table  # noqa: PLC0415

    with reporting(quiet=as_json) as reporter:
        request = BenchRequest(pack=pack or default_pack(), levels=level, pairs=pair)
        results = run(settings_of(context), request, reporter)
    if as_json:
        print_json([result.as_json() for result in results])
    else:
        print_table(*fidelity_table(results))
        print_table(*performance_table(results), title="Performance against the footage (x: two trackings of it)")


COMMANDS = (people, swap, preview, verify, bench)


def _casts(texts: tuple[str, ...]) -> dict[int, str]:
    casts: dict[int, str] = {}
    for text in texts:
        number, _, name = text.partition("=")
        if not number.isdigit() or int(number) < 1 or not name:
            raise CallerError(f"--cast {text} is not N=NAME.", advice="For example: --cast 1=mei")
        if int(number) in casts:
            raise CallerError(f"Person {number} is cast twice.", advice="Give every person one donor.")
        casts[int(number)] = name
    return casts
