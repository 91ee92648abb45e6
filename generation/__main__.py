"""``python -m generation``: inspect, render, verify."""

import sys

if __name__ == "__main__":
    try:
        # Imported in here, as packages may be absent: the environment is easily forgotten.
        from generation.cli import main
    except ModuleNotFoundError as error:
        if (error.name or "generation").split(".")[0] == "generation":
            raise
        sys.exit(
            f"{error.name} is not installed for {sys.executable}. Remedy: make install, then source .venv/bin/activate."
        )
    sys.exit(main(sys.argv[1:]))
