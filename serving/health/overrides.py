"""What people set beside the computed health of an account: with a reason, by name, for a while."""

from datetime import date
from typing import Any

from params_signals import Health
from serving.journal.entries import HEALTH_OVERRIDE, read
from serving.ledger.record import Record


def overrides_of(record: Record, as_of: date, rule: Health) -> dict[str, dict[str, Any]]:
    """The overrides that stand on a day, by account: `band`, `colour`, `reason`, `by`, `until`; the newest counts."""
    colours: dict[str, str] = dict(rule.colours.items())
    newest = {
        entry.account_id: {
            "band": str(entry.payload["band"]),
            "colour": colours[str(entry.payload["band"])],
            "reason": entry.text,
            "by": entry.author,
            "until": str(entry.payload["until"]),
        }
        for entry in read(record, HEALTH_OVERRIDE)
        if entry.account_id is not None
    }
    return {account: row for account, row in newest.items() if row["until"] > as_of.isoformat()}
