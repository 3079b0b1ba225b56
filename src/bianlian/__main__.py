"""`python -m bianlian`."""

from bianlian.cli.main import main

if __name__ == "__main__":
    main()
