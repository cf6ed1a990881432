"""The snapshots' SQL as a script in the dialect of any warehouse."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from features.engines import emitted
from features.snapshots.assembly import assembly_of
from features.tables.checked import Tables
from params import OwnFeature, Revenue
from params import Snapshots as SnapshotSettings


def script(
    tables: Tables,
    dates: Sequence[date],
    dialect: str,
    *,
    revenue: Revenue,
    settings: SnapshotSettings,
    own: Mapping[str, OwnFeature] | None = None,
) -> Iterator[str]:
    """The statements that make the snapshots, in a dialect of `features.engines.dialects.EMITTED`; `as_of` and
    `term_ends_on` of the last one are days since 1970-01-01.
    """
    assembly = assembly_of(tables.elsewhere(), dates, revenue, settings, {} if own is None else own)
    statements = [*assembly.statements, *assembly.ranking]
    frames, columns = assembly.asof.frames(), tables.columns
    return emitted.script(dialect, columns=columns, frames=frames, statements=statements, assembly=assembly.final)
