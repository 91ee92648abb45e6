"""``python -m generation``: inspect, render, verify."""

import sys

from generation.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
