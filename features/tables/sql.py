"""Text, names, codes and conditions as SQL."""

BITS = 60  # a BIGINT holds as many flags, of days or of things, with room to spare


def quoted(text: str) -> str:
    """Text as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def named(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def code(text: str) -> str:
    """A free text as a code: lower case, words joined by underscores."""
    return f"REPLACE(REPLACE(LOWER(TRIM({text})), ' ', '_'), '-', '_')"


def one_of(text: str, *codes: str) -> str:
    """Condition: a free text is one of these codes."""
    return f"{code(text)} IN ({', '.join(repr(item) for item in codes)})"


def flag(condition: str) -> str:
    """SQL: 1 where a condition holds, else 0."""
    return f"CASE WHEN {condition} THEN 1 ELSE 0 END"


def later_of(column: str, other: str) -> str:
    """SQL of the later of two dates, `column` where the other is missing."""
    return f"CASE WHEN {other} > {column} THEN {other} ELSE {column} END"
