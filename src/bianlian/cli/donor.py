"""`challenge`, `donor` and `learn`: who lends a face, and on what terms."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from bianlian.cli.output import in_words, print_facts, print_json, print_table, reporting
from bianlian.cli.rooms import house_of

FILE = click.Path(path_type=Path, dir_okay=False)


@click.group()
def challenge() -> None:
    """The acts that a capture must answer."""


@challenge.command("new")
@click.option("-o", "--output", type=FILE, default=Path("challenge.json"), show_default=True)
@click.option(
    "--language", type=click.Choice(["en", "zh"]), default="en", show_default=True, help="Of the instructions."
)
@click.pass_context
def challenge_new(context: click.Context, output: Path, language: str) -> None:
    """Draw a challenge: five acts in random order. It expires after 15 minutes and is good for one enrolment."""
    from bianlian.workflows.enrol import draw_challenge  # noqa: PLC0415

    drawn = draw_challenge(house_of(context), output, language=language)
    click.echo(drawn.instructions)
    click.echo(f"\nWritten to {output}.")


@click.group()
def donor() -> None:
    """People who lend their face, and their consent."""


@donor.command("scope-example")
def scope_example() -> None:
    """Print a scope file to start from: what the donor allows."""
    from bianlian.donors.scope import example_scope  # noqa: PLC0415

    click.echo(example_scope(datetime.now(UTC)), nl=False)


@donor.command("performer-example")
def performer_example() -> None:
    """Print a performer file to start from: who is replaced, on what basis, and what for."""
    from bianlian.donors.performer import example_performer  # noqa: PLC0415

    click.echo(example_performer(), nl=False)


@donor.command("notice")
@click.option("--language", type=click.Choice(["en", "zh"]), default="en", show_default=True)
@click.option("--controller", default="the owner of this machine", show_default=True, help="Who answers for the use.")
@click.option("--contact", default="in person", show_default=True, help="Where a donor can reach them.")
def show_notice(language: str, controller: str, contact: str) -> None:
    """Print the notice that the donor must read before recording; its hash goes into the receipt."""
    from bianlian.donors.notices import Controller, notice  # noqa: PLC0415

    click.echo(notice(language, Controller(name=controller, contact=contact)).text)


@donor.command("enrol")
@click.argument("name")
@click.option("--capture", type=FILE, required=True, help="The donor's take, one file.")
@click.option("--challenge", "challenge_file", type=FILE, required=True, help="The challenge that it answers.")
@click.option("--scope", type=FILE, required=True, help="What the donor allows (TOML).")
@click.option(
    "--language", type=click.Choice(["en", "zh"]), default="en", show_default=True, help="Of the notice that was shown."
)
@click.option("--controller", default="the owner of this machine", show_default=True, help="Who answers for the use.")
@click.option("--contact", default="in person", show_default=True, help="Where the donor can reach them.")
@click.option("--jurisdiction", default="unknown", show_default=True, help="Country code of the law that applies.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def enrol(context: click.Context, name: str, as_json: bool, **given: Any) -> None:
    """Check a capture against its challenge and, if it answers, store the donor with a signed receipt."""
    from bianlian.workflows.enrol import EnrolRequest  # noqa: PLC0415
    from bianlian.workflows.enrol import enrol as run  # noqa: PLC0415

    request = EnrolRequest(
        name=name, capture=given["capture"], challenge=given["challenge_file"], scope=given["scope"],
        language=given["language"], controller=given["controller"], contact=given["contact"],
        jurisdiction=given["jurisdiction"],
    )  # fmt: skip
    with reporting(quiet=as_json) as reporter:
        facts = run(house_of(context), request, reporter)
    if as_json:
        print_json(facts.as_json())
        return
    click.echo(f"{name} is enrolled; receipt {facts.donor.receipt.id}.")
    acts = ", ".join(f"{act.act} at {act.start:.1f} s" for act in facts.report.acts)
    click.echo(f"Acts seen: {acts}.")
    for sentence in facts.report.coverage.missing:
        click.echo(f"For a better likeness: {sentence}")


@donor.command("list")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def list_donors(context: click.Context, as_json: bool) -> None:
    """Who is enrolled here."""
    from bianlian.workflows.donors import donor_rows  # noqa: PLC0415

    rows = donor_rows(house_of(context))
    if as_json:
        print_json(rows)
    elif not rows:
        click.echo("Nobody is enrolled here.")
    else:
        print_table(list(rows[0]), [[str(value) for value in row.values()] for row in rows])


@donor.command("show")
@click.argument("name")
@click.option("--page", type=FILE, help="Write the receipt as a page to read and print (HTML).")
@click.option("--language", type=click.Choice(["en", "zh"]), default="en", show_default=True, help="Of the page.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def show(context: click.Context, name: str, page: Path | None, language: str, as_json: bool) -> None:
    """A donor's consent: scope, term, what was made under it."""
    from bianlian.workflows.donors import donor_facts, write_receipt_page  # noqa: PLC0415

    house = house_of(context)
    facts = donor_facts(house, name)
    if page:
        write_receipt_page(house, name, page, language=language)
    if as_json:
        print_json(facts)
    else:
        print_facts({name: in_words(value) for name, value in facts.items()})


@donor.command("export")
@click.argument("name")
@click.option(
    "-o", "--output", type=FILE, required=True, help="A zip file; it holds everything that is kept about the donor."
)
@click.pass_context
def export(context: click.Context, name: str, output: Path) -> None:
    """Give the donor everything that is kept about them, in open formats."""
    from bianlian.workflows.donors import export_donor  # noqa: PLC0415

    export_donor(house_of(context), name, output)
    click.echo(f"Written to {output}. It holds biometric data in the clear: hand it to the donor alone.")


@donor.command("revoke")
@click.argument("name")
@click.pass_context
def revoke(context: click.Context, name: str) -> None:
    """Withdraw a consent: no new results, key destroyed, data gone; `verify` says so from now on."""
    house = house_of(context)
    receipt = house.donors.revoke(name, house.clock())
    click.echo(f"Receipt {receipt} is withdrawn; the donor's data are destroyed.")


@donor.command("erase")
@click.argument("name")
@click.pass_context
def erase(context: click.Context, name: str) -> None:
    """Erase a donor's data; with the data the consent ends as well."""
    house = house_of(context)
    receipt = house.donors.erase(name, house.clock())
    click.echo(f"The donor's data are destroyed; receipt {receipt} is withdrawn.")


@click.command()
@click.argument("name")
@click.option("--level", type=click.Choice(["draft", "standard", "fine"]), default="standard", show_default=True)
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed learns the same.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def learn(context: click.Context, name: str, level: str, seed: int, as_json: bool) -> None:
    """Learn a donor's face from the capture."""
    from bianlian.workflows.learn import learn as run  # noqa: PLC0415

    with reporting(quiet=as_json) as reporter:
        learnt = run(house_of(context), name, level=level, seed=seed, reporter=reporter)
    if as_json:
        print_json(learnt.as_json())
    else:
        click.echo(
            f"{name}: learnt at level {level} from {learnt.sample_count} frames, {learnt.size_bytes / 1e6:.1f} MB."
        )


@click.group()
def hashes() -> None:
    """Fingerprints of results, for those who must find copies."""


@hashes.command("export")
@click.argument("donor_or_receipt")
@click.option("--case", "case_id", default="", help="A case number to write into every line.")
@click.option("--format", "kind", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True)
@click.pass_context
def hashes_export(context: click.Context, donor_or_receipt: str, case_id: str, kind: str) -> None:
    """PDQ, per-second PDQ, MD5 and SHA-256 of all results made with a donor's face, in the forms that platforms load."""
    from bianlian.workflows.donors import export_hashes  # noqa: PLC0415

    click.echo(export_hashes(house_of(context), donor_or_receipt, case_id=case_id, as_csv=kind == "csv"), nl=False)


@hashes.command("letter")
@click.argument("receipt")
@click.option("--name", required=True, help="Who asks for the removal.")
@click.option("--contact", required=True, help="Where they can be reached.")
@click.option("--at", "where", multiple=True, required=True, help="Address of a copy; may be repeated.")
@click.option("--language", type=click.Choice(["en", "zh"]), default="en", show_default=True)
@click.pass_context
def hashes_letter(
    context: click.Context, receipt: str, name: str, contact: str, where: tuple[str, ...], language: str
) -> None:
    """A take-down letter (48 hours) for the results of a withdrawn consent."""
    from bianlian.donors.takedown import Claimant  # noqa: PLC0415
    from bianlian.workflows.donors import letter  # noqa: PLC0415

    claimant = Claimant(name=name, contact=contact, where=where)
    click.echo(letter(house_of(context), receipt, claimant, language=language), nl=False)


COMMANDS = (challenge, donor, learn, hashes)
