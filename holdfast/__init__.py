"""The command line: a module a group of verbs; nothing heavy is imported before a verb needs it."""


def main() -> None:
    """Run the command line."""
    import sys

    from holdfast.app import app
    from holdfast.output import keep_for_results

    if "--json" in sys.argv:
        keep_for_results()
    app()
