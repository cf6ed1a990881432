"""The command line: a module a group of verbs; nothing heavy is imported before a verb needs it."""


def main() -> None:
    """Run the command line."""
    from holdfast.app import app

    app()
