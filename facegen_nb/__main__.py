"""`python -m facegen_nb` is the command `facegen`. Written by hand: no notebook exports this file."""

from facegen_nb.cli import main
from facegen_nb.core import as_program

if as_program("facegen_nb.__main__"):  # not when a tool imports every module of the package
    main()
