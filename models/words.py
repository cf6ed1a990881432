"""Numbers in sentences: one day, two days."""

_AFTER_THE_NOUN = (
    "a",
    "ago",
    "at",
    "by",
    "for",
    "from",
    "in",
    "its",
    "of",
    "on",
    "out",
    "per",
    "since",
    "so",
    "the",
    "to",
)
_VERBS = {"are": "is", "were": "was", "connect": "connects"}


def counted(number: int, noun: str, plural: str = "") -> str:
    """A count with its noun: `1 day`, `2 days`, `1,234 accounts`; `plural` where an s at the end is not it."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def signed_percent(share: float) -> str:
    """A share with its sign, in whole percent: `+12%`, `-3%`, `0%`."""
    return f"{share:+.0%}" if round(share * 100) else "0%"


def of_one(rest: str) -> str:
    """What follows a value in a sentence, made to fit the value 1: ` tickets are open` -> ` ticket is open`.

    The nouns up to the first preposition lose their s, and the first verb agrees. ` times the ...` and ` times its ...`
    are factors and stay.
    """
    if rest.startswith((" times the ", " times its ")):
        return rest
    words = rest.split(" ")
    verb = next((place for place, word in enumerate(words) if word in _VERBS), len(words))
    end = next((place for place, word in enumerate(words) if word in _AFTER_THE_NOUN), len(words))
    one = [_singular(word) if place < min(end, verb) else word for place, word in enumerate(words)]
    for place in range(1, min(end, verb)):
        if words[place] == "and" and words[place - 1] != one[place - 1]:  # trainings and webinars: one of the two
            one[place] = "or"
    one[verb : verb + 1] = [_VERBS[word] for word in words[verb : verb + 1]]
    return " ".join(one)


def _singular(word: str) -> str:
    return word if word.endswith("ss") else word.removesuffix("s")
