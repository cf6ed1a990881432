"""A company enlarged: every account of a company of files copied many times, with all its tables.

Copies share nothing: every id is the copy's own, and so are who looks after its accounts, spread over as many
CSMs as asked. Usage may be thinned, so that a hundred thousand accounts are checked in minutes.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import duckdb

OF_ALL = ("fx_rates", "targets")  # tables that are not about an account
_PEOPLE = ("csm", "called_by")


@dataclass(frozen=True)
class Enlarged:
    """How a company is enlarged: copies of each account, CSMs in all, share of the usage rows that is kept."""

    copies: int
    csms: int
    usage_share: float = 1.0


def enlarge(source: Path, target: Path, how: Enlarged) -> None:
    """Write a company of Parquet files, each table as one file, from another one.

    Parameters
    ----------
    source
        Folder with a file `<table>.parquet` a table.
    target
        A new folder.
    how
        How much of what.
    """
    target.mkdir(parents=True)
    with duckdb.connect() as connection:
        connection.execute("SET threads = 2; SET memory_limit = '4GB'; SET preserve_insertion_order = false")
        for file in sorted(source.glob("*.parquet")):
            select = _copied(connection, file, how)
            connection.execute(f"COPY ({select}) TO '{target / file.name}' (FORMAT parquet, COMPRESSION zstd)")


def _copied(connection: duckdb.DuckDBPyConnection, file: Path, how: Enlarged) -> str:
    """The query of a table's copies."""
    if file.stem in OF_ALL:
        return f"SELECT * FROM '{file}'"
    if file.stem in ("people", "pay"):
        return _people(file, how.csms)
    columns = [str(row[0]) for row in connection.execute(f"DESCRIBE SELECT * FROM '{file}'").fetchall()]
    kept = f"WHERE hash(account_id, copy, used_on, user_id) % 10000 < {round(how.usage_share * 10_000)}"
    return f"""
        SELECT {", ".join(_column(name, how.csms) for name in columns)}
        FROM '{file}', (SELECT unnest(range({how.copies})) AS copy) {kept if file.stem == "usage" else ""}"""


def _people(file: Path, csms: int) -> str:
    """The query of people, or of their pay: each new CSM is one of the old ones under another name, without pay."""
    if file.stem == "pay":
        csms_before = f"SELECT name FROM '{file.with_stem('people')}' WHERE role = 'csm'"
        return f"SELECT * FROM '{file}' WHERE person NOT IN ({csms_before})"
    return f"""
        SELECT * FROM '{file}' WHERE role <> 'csm'
        UNION ALL
        SELECT old.* EXCLUDE place REPLACE ('CSM ' || number AS name, NULL AS address)
        FROM (SELECT unnest(range({csms})) AS number) new
        JOIN (SELECT *, row_number() OVER (ORDER BY name) - 1 AS place FROM '{file}' WHERE role = 'csm') old
        ON old.place = new.number % (SELECT count(*) FROM '{file}' WHERE role = 'csm')"""


def _column(name: str, csms: int) -> str:
    """A column of a copy: ids with the copy's number, people as one of so many."""
    if name.endswith("_id"):
        return f"{name} || '-' || copy AS {name}"
    if name in _PEOPLE:
        return f"CASE WHEN {name} IS NOT NULL THEN 'CSM ' || (hash({name}, copy) % {csms}) END AS {name}"
    return name


def main() -> None:
    """Enlarge a company from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.enlarged", description=__doc__)
    parser.add_argument("source", type=Path, help="folder of a company's Parquet files, such as data/simulated")
    parser.add_argument("target", type=Path, help="folder to write")
    parser.add_argument("--copies", type=int, required=True, help="of each account")
    parser.add_argument("--csms", type=int, default=250, help="CSMs in all")
    parser.add_argument("--usage-share", type=float, default=1.0, help="of the usage rows that is kept")
    arguments = parser.parse_args()
    enlarge(arguments.source, arguments.target, Enlarged(arguments.copies, arguments.csms, arguments.usage_share))


if __name__ == "__main__":
    main()
