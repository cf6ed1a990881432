"""DuckDB's types of a source's columns, and which of the contract's they answer without being read as text."""

from features.tables.contract import Type

WHOLE = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"}
FLOATS = {"FLOAT", "DOUBLE"}
TIMES = {"TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"}
ZONED = "TIMESTAMP WITH TIME ZONE"


def is_native(kind: Type, source_type: str) -> bool:
    """Whether the source's own type says what the value is, so that no text needs to be read."""
    number = source_type in WHOLE | FLOATS or source_type.startswith("DECIMAL")
    native = {
        Type.DATE: source_type in TIMES | {"DATE", ZONED},
        Type.TS: source_type in TIMES | {"DATE", ZONED},
        Type.MONEY: number,
        Type.NUMBER: number,
        Type.INTEGER: number,
        Type.BOOL: source_type == "BOOLEAN",
    }
    return native.get(kind, False)
