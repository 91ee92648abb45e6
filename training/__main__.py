"""Entry point of ``python -m training``."""

import sys

if __name__ == "__main__":
    try:
        # Imported in here, as packages may be absent: the environment is easily forgotten.
        from training.cli import main

        code = main(sys.argv[1:])
    except ModuleNotFoundError as error:
        if str(error.name).startswith("training"):
            raise
        code = 1
        print(
            f"{error.name} is not installed for {sys.executable}. "
            "Remedy: make install, then source .venv/bin/activate.",
            file=sys.stderr,
        )
    sys.exit(code)
