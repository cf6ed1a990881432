"""The command line as `python -m holdfast`."""

from holdfast import main

if __name__ == "__main__":
    main()
