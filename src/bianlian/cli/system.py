"""`models` and `doctor`: what is installed, what runs, what is missing."""

from __future__ import annotations

import click

from bianlian.cli.output import print_facts, print_json, print_table, reporting
from bianlian.cli.rooms import settings_of


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
    """What is installed, what runs where, what is missing, and how fast this machine is."""
    from bianlian.workflows.doctor import examine_machine  # noqa: PLC0415

    report = examine_machine(settings_of(context))
    if as_json:
        print_json({**report.facts, "problems": report.problems})
    else:
        print_facts(report.facts)
        for problem in report.problems:
            click.echo(f"! {problem}", err=True)
    context.exit(3 if report.problems else 0)


COMMANDS = (models, doctor)
