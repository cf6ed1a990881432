"""What can stop a forecast, said so that whoever asked knows what to do."""


class BadRequest(Exception):
    """A date or an account that cannot be forecast."""


class NoPublication(Exception):
    """Nothing to answer from is published."""


class NoRecord(Exception):
    """The record of published forecasts cannot be used; the message says why and what to do."""
