"""`python -m reconciler` and the `reconcile` script."""

import gc

from reconciler.cli.main import main

gc.set_threshold(100_000, 50, 50)  # a command lives for seconds: collecting while it starts costs a tenth of them

if __name__ == "__main__":
    main()
