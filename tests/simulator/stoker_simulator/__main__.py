"""`python -m stoker_simulator`."""

import sys

from stoker_simulator.cli import main

sys.exit(main())
