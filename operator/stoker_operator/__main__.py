"""`python -m stoker_operator` is `stoker`."""

import sys

from stoker_operator.cli import main

sys.exit(main())
