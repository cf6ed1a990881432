"""All verbs, by what they are for, as one command line."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from holdfast import (
    acting,
    action_effects,
    customers,
    data,
    delivery,
    demo,
    forecast,
    judging,
    kpis,
    model,
    nightly,
    privacy,
    retention,
    scorecards,
    service,
    setup,
    team,
)
from holdfast.output import print_json
from holdfast.run import error_json, verb

if TYPE_CHECKING:
    from typer._click.core import Context
    from typer._click.formatting import HelpFormatter

PANELS: dict[str, tuple[Callable[..., None], ...]] = {
    "Start here": (demo.demo, setup.init, nightly.run),
    "Data": (data.check, data.simulate, data.snapshots, retention.nrr),
    "Model": (model.train, model.backtest, model.models, judging.watch),
    "Forecast": (
        forecast.forecast,
        forecast.explain,
        forecast.publish,
        retention.bridge,
        retention.ledger,
        judging.calls,
    ),
    "Act": (
        action_effects.effects,
        acting.actions,
        acting.scenario,
        acting.holdout,
        acting.process,
    ),
    "Team": (
        kpis.kpis,
        kpis.cohorts,
        kpis.behaviours,
        kpis.icp,
        customers.losses,
        customers.voice,
        customers.whitespace,
        customers.sheet,
        team.health,
        team.alerts,
        team.escalations,
        team.review,
        scorecards.scorecard,
        scorecards.comp,
    ),
    "Service": (service.serve, service.tokens, service.mcp, delivery.deliver, delivery.writeback),
    "Privacy": (privacy.erase,),
}
FIRST_SENTENCE = 1000  # characters: all of it, on as many lines as it takes


class _Verbs(TyperGroup):
    """The verbs; options that cannot be read are reported as JSON too where `--json` is among them."""

    def invoke(self, ctx: "Context") -> Any:
        """Run the verb that is named."""
        as_json = "--json" in ctx.args
        try:
            return super().invoke(ctx)
        except TyperException as error:
            if as_json:
                print_json(error_json(error.exit_code, "bad_usage", error.format_message()))
            raise

    def format_commands(self, ctx: "Context", formatter: "HelpFormatter") -> None:
        """List the verbs panel by panel; typer does so with Rich alone, whose import doubles the time of `--help`."""
        width = max(map(len, self.commands))
        panels: dict[str, list[tuple[str, str]]] = {}
        for name, command in self.commands.items():
            panel = str(getattr(command, "rich_help_panel", None) or "Commands")
            panels.setdefault(panel, []).append((name.ljust(width), command.get_short_help_str(FIRST_SENTENCE)))
        for panel, rows in panels.items():
            with formatter.section(panel):
                formatter.write_dl(rows)


def _command_line() -> typer.Typer:
    commands = typer.Typer(
        cls=_Verbs,
        help="Forecasts churn, expansion and Net Revenue Retention, with intervals and reasons.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    for panel, verbs in PANELS.items():
        for command in verbs:
            commands.command(rich_help_panel=panel)(verb(command))
    return commands


app = _command_line()
