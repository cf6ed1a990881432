"""What comes in a request as text, and what it may be: checked here, so that nothing behind it need think of it."""

MOST_DIGITS = 6


def small_number(text: str) -> int | None:
    """A whole number of a few digits; None for any other text, other scripts' digits among it."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS else None


def stored_text(text: str) -> str:
    """Text that a table can hold.

    Raises
    ------
    ValueError
        It holds a NUL or half a character.
    """
    if "\0" in text:
        raise ValueError("it holds a NUL, which no table holds")
    return whole_text(text)


def whole_text(text: str) -> str:
    """Text that can be written down.

    Raises
    ------
    ValueError
        It holds half a character.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("it holds half a character") from None
    return text
