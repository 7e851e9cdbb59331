"""python -m duckpriv: the command `duckpriv`."""

from .cli import main

if __name__ == "__main__":
    main()
