"""Rows that are read only as far as they are of certain people, whom `contacts` names."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Via:
    """The people that rows are of: those of `contacts` that fulfil `where`, found by the id that `id_sql` reads.

    `column` is the column of `contacts` with that id. `more` is read of the people beside it, each as
    `aggregate AS name`, since one id may have several rows.
    """

    id_sql: str
    column: str
    where: str = "TRUE"
    more: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of what is read of the people."""
        return tuple(item.rpartition(" AS ")[2] for item in self.more)
