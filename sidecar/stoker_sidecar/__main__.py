"""`python -m stoker_sidecar`."""

import sys

from stoker_sidecar.cli import main

sys.exit(main())
