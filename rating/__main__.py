"""`python -m rating`: ratings of a vote file, without the arena."""

import sys

from rating.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
