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
