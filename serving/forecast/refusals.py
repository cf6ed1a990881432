"""What can stop a forecast, said so that whoever asked knows what to do."""


class BadRequest(Exception):
    """A date or an account that cannot be forecast."""


class NoModel(Exception):
    """No usable champion in the model registry.

    Parameters
    ----------
    message
        What is wrong, for whoever runs the command; it may name the place of the registry.
    told
        The same for whoever asks the service: without the place. By default the message.
    """

    def __init__(self, message: str, told: str = "") -> None:
        super().__init__(message)
        self.told = told or message


class NoPublication(Exception):
    """Nothing to answer from is published."""


class NoRecord(Exception):
    """The record of published forecasts cannot be used; the message says why and what to do."""
