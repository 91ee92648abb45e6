"""Entry point of ``python -m training``."""

import sys

if __name__ == "__main__":
    try:
        # Imported in here, as packages may be absent: the environment is easily forgotten.
        from training.cli import main
    except ModuleNotFoundError as error:
        if (error.name or "training").split(".")[0] == "training":
            raise
        sys.exit(
            f"{error.name} is not installed for {sys.executable}. Remedy: make install, then source .venv/bin/activate."
        )
    sys.exit(main(sys.argv[1:]))
