"""`python -m reconciler` and the `reconcile` script."""

from reconciler.cli.main import main

if __name__ == "__main__":
    main()
