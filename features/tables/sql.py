"""Text, names, codes and conditions as SQL."""

import re

BITS = 60  # a BIGINT holds as many flags, of days or of things, with room to spare
PLAIN = re.compile("[a-z_][a-z0-9_]*")
RESERVED = """
    ALL AND ANY AS ASC BETWEEN BOTH BY CASE CAST CHECK COLLATE COLUMN CREATE CROSS DEFAULT DESC DISTINCT ELSE END EXCEPT
    FALSE FETCH FOR FROM FULL GROUP HAVING IN INNER INTERSECT INTERVAL INTO IS JOIN LEFT LIKE LIMIT NATURAL NOT NULL
    OFFSET ON OR ORDER OUTER PRIMARY QUALIFY REFERENCES RIGHT SELECT SOME TABLE THEN TO TRUE UNION UNIQUE USER USING
    VALUES WHEN WHERE WINDOW WITH
"""


def quoted(text: str) -> str:
    """Text as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def named(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def plain(name: str) -> str:
    """A name as an SQL identifier: as it is, where nothing can take it for something else."""
    return name if PLAIN.fullmatch(name) and name.upper() not in RESERVED.split() else named(name)


def code(text: str) -> str:
    """A free text as a code: lower case, words joined by underscores."""
    return f"REPLACE(REPLACE(LOWER(TRIM({text})), ' ', '_'), '-', '_')"


def code_of(text: str) -> str:
    """The same of a text at hand: "Mid-market " is `mid_market`."""
    return text.strip().lower().replace(" ", "_").replace("-", "_")


def one_of(text: str, *codes: str) -> str:
    """Condition: a free text is one of these codes."""
    return f"{code(text)} IN ({', '.join(repr(item) for item in codes)})"


def flag(condition: str) -> str:
    """SQL: 1 where a condition holds, else 0."""
    return f"CASE WHEN {condition} THEN 1 ELSE 0 END"


def later_of(column: str, other: str) -> str:
    """SQL of the later of two dates, `column` where the other is missing."""
    return f"CASE WHEN {other} > {column} THEN {other} ELSE {column} END"
