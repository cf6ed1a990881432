"""The vendor's own people, what they are to reach, and what they were paid."""

import numpy as np
import pandas as pd

from features.simulation.emission.commercial import SELLERS
from features.simulation.emission.display import Display, conform, dates
from features.simulation.months import FAR, as_date

_LEADER, _HEAD_OF_SALES = "Vera L.", "Walt S."
_TEAM_SIZE = 6
_MANAGERS = ("Xenia M.", "Yann M.", "Zora M.", "Anton M.", "Bella M.", "Carl M.")
_PLANS = {"csm": (110.0, 24_000.0), "seller": (90.0, 60_000.0), "manager": (40.0, 30_000.0), "leader": (10.0, 50_000.0)}


def people(display: Display) -> pd.DataFrame:
    """Who works for the vendor, and who manages whom: teams of CSMs below a leader, sellers below a head of sales."""
    rows = [(_LEADER, "leader", None, "customer success"), (_HEAD_OF_SALES, "manager", _LEADER, "sales")]
    for place, name in enumerate(display.csm_names):
        team = place // _TEAM_SIZE
        manager = _manager(team)
        if place % _TEAM_SIZE == 0:
            rows.append((manager, "manager", _LEADER, f"team {team + 1}"))
        rows.append((str(name), "csm", manager, f"team {team + 1}"))
    rows += [(name, "seller", _HEAD_OF_SALES, "sales") for name in SELLERS]
    frame = pd.DataFrame(rows, columns=["name", "role", "manager", "team"])
    rng, history = display.generator("people"), display.history
    began = history.first_day - 30 - rng.integers(0, 900, len(frame))
    plans = np.array([_PLANS[role] for role in frame["role"]])
    frame["hours_per_month"], frame["on_target_pay"] = plans[:, 0], plans[:, 1]
    frame["started_on"], frame["left_on"] = dates(began), dates(np.full(len(frame), FAR))
    names = frame["name"].str.lower().str.replace(r"[^a-z]+", "-", regex=True).str.strip("-")
    frame["address"] = "https://chat.example/" + names
    return conform("people", frame, ["name"])


def _manager(team: int) -> str:
    """The manager of a team of CSMs."""
    name, again = _MANAGERS[team % len(_MANAGERS)], team // len(_MANAGERS)
    return f"{name} {again + 1}" if again else name


def targets(display: Display) -> pd.DataFrame:
    """NRR and GRR that each quarter was to reach; one in six was moved within the quarter."""
    rng, rows = display.generator("targets"), []
    for quarter in _quarters(display):
        start = quarter.start_time.to_datetime64().astype("datetime64[D]")
        for kpi, usual in (("nrr", 1.04), ("grr", 0.9)):
            target, set_on = round(usual + 0.02 * rng.standard_normal(), 3), start - 20
            rows.append((kpi, f"{quarter.year}-Q{quarter.quarter}", target, set_on))
            if rng.random() < 1 / 6:
                rows.append((kpi, rows[-1][1], round(target - 0.02, 3), start + 40))
    frame = pd.DataFrame(rows, columns=["kpi", "quarter", "target", "set_on"])
    frame["set_on"] = frame["set_on"].to_numpy().astype("datetime64[s]")
    frame = frame[frame["set_on"] < np.datetime64(display.history.last_day * 86_400, "s")]
    return conform("targets", frame, ["quarter", "kpi", "set_on"])


def pay(display: Display) -> pd.DataFrame:
    """What CSMs and sellers were paid in each quarter that is over."""
    staff = people(display)
    staff = staff[staff["role"].isin(["csm", "seller"])]
    rng, frames = display.generator("pay"), []
    for quarter in _quarters(display)[:-1]:
        reached = np.clip(1 + 0.25 * rng.standard_normal(len(staff)), 0, 2)
        paid = (staff["on_target_pay"] / 4 * reached).round(2)
        text = f"{quarter.year}-Q{quarter.quarter}"
        frames.append(pd.DataFrame({"person": staff["name"], "quarter": text, "paid": paid}))
    rows = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=["person", "quarter", "paid"])
    return conform("pay", rows, ["quarter", "person"])


def _quarters(display: Display) -> list[pd.Period]:
    """The calendar quarters that begin within the data, and the one before."""
    first, last = (as_date(day) for day in (display.history.first_day, display.history.last_day - 1))
    return list(pd.period_range(pd.Period(first, "Q"), pd.Period(last, "Q")))
