"""Makes ``python -m ignitetasks`` the same as the command ``ignitetasks``; must hold nothing else."""

import sys

from ignitetasks_command import main

if __name__ == "__main__":
    sys.exit(main())
