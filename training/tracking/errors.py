"""What can stop work with what is recorded, said so that whoever asked knows what to do."""


class StoreUnreachable(Exception):
    """The tracking store that `tracking.uri` names does not answer; the message says which and what to do."""


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


_REMEDY = "Restore its files from a backup, or let a new model take its place: `holdfast train --replace-unreadable`."


class UnreadableChampion(NoModel):
    """There is a champion, and its files or its record are missing, damaged or not understood.

    Parameters
    ----------
    version
        The version in charge.
    why
        What is wrong with it.
    """

    def __init__(self, version: str, why: str) -> None:
        what = f"The champion, version {version}, cannot be read"
        super().__init__(f"{what}: {why}. {_REMEDY}", f"{what}. {_REMEDY}")
        self.version, self.why = version, why
