"""What replaces what of two contract lines that overlap: one rule, for the arithmetic and for the check."""

from params import Revenue


def replaces_overlapped(rules: Revenue, *, starts: str, ends: str) -> str:
    """Condition: line `n` replaces line `o` of its product and buying centre, which it starts while that one runs.

    It does if it is a renewal, or if it outlasts the other and starts within `early_renewal_days` of its end; lines
    that name no product cannot be told apart, and only a renewal replaces one. `revenue.overlap` overrides.

    Parameters
    ----------
    rules
        What the settings say of overlaps.
    starts, ends
        Columns of both lines: the first day, and the first day not covered (of an open end a far one); days or dates.
    """
    outlasts = f"n.{ends} > o.{ends} AND n.{starts} >= o.{ends} - {rules.early_renewal_days}"
    by_setting = {None: f"o.product IS NOT NULL AND {outlasts}", "replace": "o.product IS NOT NULL"}
    other = by_setting.get(rules.overlap)
    return f"(n.kind = 'renewal' OR ({other}))" if other else "FALSE"


def spared(rules: Revenue, *, next_mrr: str, mrr: str, continued: str, larger: str = "0") -> str:
    """Condition: a line can spare the MRR of another that runs, after that of the ended lines that it continues.

    Subscriptions to one product that run side by side are renewed each at its own time, and do not replace each other.
    `revenue.overlap` overrides.

    Parameters
    ----------
    rules
        What the settings say of overlaps.
    next_mrr, mrr
        MRR of the line, and of the one that runs.
    continued
        MRR of the ended lines of its product and buying centre that the line continues; NULL: there are none.
    larger
        MRR of larger lines that run and that it replaces before.
    """
    if rules.overlap is not None:
        return "TRUE"
    return f"({continued} IS NULL OR {next_mrr} - {continued} - {larger} >= {rules.replaces_share} * {mrr})"
