"""The command `facegen`, also as `python -m facegen_nb`. Written by hand: no notebook exports this file."""

import sys

from facegen_nb.core import as_program


def main() -> None:
    "Run the command; Ctrl-C while its modules are imported ends it as quietly as later."
    try:
        from facegen_nb.cli import main as run_command
    except KeyboardInterrupt:
        print("facegen: stopped before it began.", file=sys.stderr)
        raise SystemExit(130) from None
    run_command()


if as_program("facegen_nb.__main__"):  # not when a tool imports every module of the package
    main()
