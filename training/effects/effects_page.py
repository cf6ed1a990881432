"""The report of the effects as one page: what may be concluded first, then figures and tables with their meaning."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from models.effects.action_effect import ActionEffect
from models.effects.conclusions import CAUTIONS, sentences
from training.report.figures import BLUE, GREY, ORANGE, Panel
from training.report.html_columns import Column
from training.report.html_report import Section, Shown, page_of, pictures

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_signed = "{:+.2f}".format
_whole = "{:,.0f}".format
_three = "{:+.3f}".format
_two = "{:.2f}".format
HEADING = "What actions change: estimates, what tried to refute them, and what may be concluded"
_KIND = (Column("level", "level"), Column("action", "kind"))
_EFFECTS = (
    *_KIND,
    Column("verdict", "verdict"),
    Column("evidence", "evidence", "good: helpful or harmful; weak: nothing found, or not separable; none yet"),
    Column("treated_rows", "done", "Account-months in which it was done", _whole),
    Column("treated_accounts", "accounts", "Of how many accounts", _whole),
    Column("churn_points", "churn", "Points of 12-month churn; below 0 is less churn", _signed),
    Column("low", "from", "Lower end of the 95 % interval, the allowance within", _signed),
    Column("high", "to", "Upper end of it", _signed),
    Column("se", "se", "Standard error of the sample alone, points", _two),
    Column("expansion_points", "expansion", "Points of accounts that grow within 12 months", _signed),
    Column("contraction_points", "contraction", "Points of accounts that shrink within 12 months", _signed),
    Column("arr_points", "ARR", "Points of ARR a year later, of the ARR at the month start", _signed),
    Column("rows_needed", "needed", "Account-months with it to see an effect of twice the allowance", _whole),
)
_REFUTERS = (
    *_KIND,
    Column("logit", "log-odds", "Shift of the log-odds of churn in the month of the action", _three),
    Column("logit_se", "se", "Its standard error", _two),
    Column("pooled_logit", "pooled", "Drawn towards the mean of the level's kinds: what to rank by", _three),
    Column("allowance", "allowance", "How far hidden confounding may have moved it", _two),
    Column("overlap", "open", "Share of who got it that what was known before leaves open", _two),
    Column(
        "permuted_mean", "hands", "Actions that changed hands: mean effect in standard errors, at most 0.25", _signed
    ),
    Column("permuted_spread", "spread", "Their spread in standard errors, 0.8 to 1.2", _two),
    Column("redrawn_spread", "by lot", "The spread of actions drawn by lot, 0.8 to 1.2", _two),
    Column("halves_apart", "halves", "Standard errors between two halves of the accounts, at most 3", _two),
    Column("before_logit", "before", "What it seems to move of expansions in the three months before it", _three),
    Column("missed_logit", "missed", "What those planned and missed seem to move; no test, a comparison", _three),
    Column("missed_se", "se of missed", "About its standard error", _two),
    Column(
        "robustness_value", "robustness", "Share of both a confounder must explain to take it to 0", "{:.3f}".format
    ),
)


def render(effects: Sequence[ActionEffect], about: Mapping[str, str]) -> str:
    """The page as text."""
    estimated = [effect for effect in effects if effect.logit is not None]
    sections = [
        Section("What may not be concluded", " ".join(CAUTIONS)),
        Section(
            "Effects on churn, expansion and ARR",
            "Dots: the estimate. Thick bars: 95 % by the sample alone; thin ones: with the allowance for hidden "
            "confounding (churn and expansion). Orange: pooled.",
            pictures(_effect_panels(estimated)),
            _shown(_EFFECTS, [effect.to_json() for effect in effects]),
        ),
        Section(
            "What tried to refute them",
            "A kind that does not withstand one of these is not known, whatever its estimate.",
            table=_shown(_REFUTERS, [{**effect.to_json(), **effect.refuters} for effect in estimated]),
        ),
        Section(
            "If a family of features had not been there",
            "How far the log-odds of churn move when a family is left out of both nuisances: a hidden confounder as "
            "strong as that family would move them as far.",
            pictures(
                [Panel("moved by leaving out", partial(_draw_left_out, effects=estimated), 6.4, _tall(estimated))]
            ),
        ),
    ]
    return page_of("Effects of actions", HEADING, sentences(effects), sections, about)


def _shown(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> Shown:
    return Shown(columns, [[column.cell(row.get(column.key)) for column in columns] for row in rows])


def _tall(effects: Sequence[ActionEffect]) -> float:
    return 0.34 * len(effects) + 1.4


def _effect_panels(effects: Sequence[ActionEffect]) -> list[Panel]:
    titles = {"churn": "12-month churn, points", "expansion": "growing within 12 months, points"}
    draws: dict[str, Callable[[Axes], None]] = {
        title: partial(_draw_effects, effects=effects, outcome=outcome) for outcome, title in titles.items()
    }
    draws["ARR a year later, points"] = partial(_draw_effects, effects=effects, outcome="arr")
    return [Panel(title, draw, 5.2, _tall(effects)) for title, draw in draws.items()]


def _draw_effects(axes: "Axes", effects: Sequence[ActionEffect], outcome: str) -> None:
    """A line a kind, with its interval."""
    names = {"churn": ("churn_points", "low", "high")}
    point, low, high = names.get(outcome, (f"{outcome}_points", f"{outcome}_low", f"{outcome}_high"))
    for place, effect in enumerate(reversed(effects)):
        axes.plot([getattr(effect, low), getattr(effect, high)], [place, place], color=GREY, linewidth=1)
        if outcome == "churn":
            middle, spread = effect.churn_points or 0.0, 1.96 * (effect.se or 0.0)
            axes.plot([middle - spread, middle + spread], [place, place], color=BLUE, linewidth=4, alpha=0.5)
            scale = (effect.churn_points or 0.0) / effect.logit if effect.logit else 0.0
            axes.plot((effect.pooled_logit or 0.0) * scale, place, "o", color=ORANGE, markersize=4, label="pooled")
        axes.plot(getattr(effect, point), place, "o", color=BLUE, markersize=5)
    axes.axvline(0, color=GREY, linewidth=0.8, linestyle="--")
    axes.set_yticks(range(len(effects)), [effect.action for effect in reversed(effects)])
    axes.set_xlabel("points, with the action less without")


def _draw_left_out(axes: "Axes", effects: Sequence[ActionEffect]) -> None:
    """A row a kind, a dot a family."""
    families = sorted({family for effect in effects for family in effect.refuters["left_out"]})
    for family in families:
        moves = [effect.refuters["left_out"][family] for effect in reversed(effects)]
        axes.plot(moves, range(len(effects)), "o", markersize=5, alpha=0.8, label=family.replace("_", " "))
    axes.axvline(0, color=GREY, linewidth=0.8, linestyle="--")
    axes.set_yticks(range(len(effects)), [effect.action for effect in reversed(effects)])
    axes.set_xlabel("log-odds of churn")
    axes.legend(fontsize=7)
