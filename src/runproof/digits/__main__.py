"""Entry point of ``python -m runproof.digits``."""

import signal
import sys

from runproof.digits._command import main

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that main ends its child too
    sys.exit(main())
