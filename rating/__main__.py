"""`python -m rating`: ratings of a vote file, without the arena."""

import sys

if __name__ == "__main__":
    try:
        # Imported in here, as Ctrl-C may come at any time.
        from rating.cli import main

        code = main(sys.argv[1:])
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        code = 128 + 2
    sys.exit(code)
