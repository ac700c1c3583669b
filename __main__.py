"""The command line, as ``python -m metalocus``."""

import sys

from metalocus.experiments.cli.main import main

sys.exit(main())
