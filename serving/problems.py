"""What can stop a forecast, said so that whoever asked knows what to do."""


class BadRequest(Exception):
    """A date or an account that cannot be forecast."""


class NoModel(Exception):
    """No usable champion in the model registry."""


class NoPublication(Exception):
    """Nothing to answer from is published."""
