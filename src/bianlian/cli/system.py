"""`models` and `doctor`: what is installed, what runs, what is missing."""

from __future__ import annotations

import json
from pathlib import Path

import click

from bianlian.cli.output import print_facts, print_json, print_table, reporting
from bianlian.cli.rooms import house_of, settings_of


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def models(context: click.Context, as_json: bool) -> None:
    """Model files: what is here, with licence and SHA-256."""
    from bianlian.weights.store import WeightStore  # noqa: PLC0415

    if context.invoked_subcommand:
        return
    holdings = WeightStore(settings_of(context).weights).check_all()
    if as_json:
        print_json(
            [
                {
                    "name": held.weight.name,
                    "state": held.condition.value,
                    "path": str(held.path),
                    "sha256": held.weight.sha256,
                    "licence": held.weight.licence,
                    "purpose": held.weight.purpose,
                }
                for held in holdings
            ]
        )
        return
    rows = [
        (held.weight.name, held.condition.value, held.weight.licence, held.weight.sha256[:12], held.weight.purpose)
        for held in holdings
    ]
    print_table(["file", "state", "licence", "sha256", "for"], rows)


@models.command("pull")
@click.pass_context
def pull(context: click.Context) -> None:
    """Fetch what is missing; every file is checked by SHA-256."""
    from bianlian.weights.catalogue import CATALOGUE  # noqa: PLC0415
    from bianlian.weights.store import WeightStore  # noqa: PLC0415

    store = WeightStore(settings_of(context).weights)
    with reporting(quiet=False) as reporter:
        for weight in CATALOGUE:
            store.fetch(weight, reporter=reporter)
    click.echo("All model files are here and whole.")


@click.command()
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def doctor(context: click.Context, as_json: bool) -> None:
    """What is installed, what runs where, what is missing, and how fast this machine is (ten seconds).

    Exits with 3 if something is missing.
    """
    from bianlian.workflows.doctor import examine_machine, speed_table  # noqa: PLC0415

    report = examine_machine(settings_of(context))
    if as_json:
        print_json(report.as_json())
    else:
        for section, facts in report.facts.items():
            click.echo(section)
            print_facts({f"  {name}": value for name, value in facts.items()})
        if report.speeds:
            print_table(*speed_table(report), title="core time a frame, measured now on made footage")
        for problem in report.problems:
            click.echo(f"! {problem}", err=True)
    context.exit(3 if report.problems else 0)


@click.group()
def ledger() -> None:
    """The append-only record of consents, grants, refusals, releases and withdrawals."""


@ledger.command("check")
@click.pass_context
def ledger_check(context: click.Context) -> None:
    """Check every entry, the hash chain, the Merkle tree and the signed heads."""
    from bianlian.workflows.ledger import check  # noqa: PLC0415

    facts = check(house_of(context))
    click.echo(f"The ledger is whole: {facts['entries']} entries.")
    print_facts({name: str(value) for name, value in facts.items()})


@ledger.command("show")
@click.option("--kind", default="", help="Only entries of one kind: enrol, grant, refusal, release, revoke, …")
@click.pass_context
def ledger_show(context: click.Context, kind: str) -> None:
    """Print the entries as JSON, one a line."""
    from bianlian.workflows.ledger import entries  # noqa: PLC0415

    for entry in entries(house_of(context), kind):
        click.echo(json.dumps(entry, ensure_ascii=False))


@ledger.command("proof")
@click.argument("seq", type=int)
@click.pass_context
def ledger_proof(context: click.Context, seq: int) -> None:
    """Print an entry with the proof that it is under the newest signed head."""
    from bianlian.workflows.ledger import proof  # noqa: PLC0415

    print_json(proof(house_of(context), seq))


@click.group()
def keys() -> None:
    """This installation's keys."""


@keys.command("rotate")
@click.pass_context
def keys_rotate(context: click.Context) -> None:
    """Make a new signing certificate under the same root; what the old one signed stays valid."""
    from bianlian.workflows.verify import rotate_credentials  # noqa: PLC0415

    rotate_credentials(house_of(context))
    click.echo("Manifests are signed with a new certificate from now on.")


@click.command()
@click.argument("output", type=click.Path(path_type=Path, dir_okay=False))
@click.pass_context
def bundle(context: click.Context, output: Path) -> None:
    """Write the public verification bundle: what a platform needs to run `verify` without this installation's secrets."""
    from bianlian.workflows.publish import publish_bundle  # noqa: PLC0415

    house = house_of(context)
    publish_bundle(house, output)
    click.echo(f"Written to {output}. Tell its users this installation's id: {house.donors.installation.id}")


COMMANDS = (models, doctor, ledger, keys, bundle)
