"""`python -m evomerge_tui` is the command `evomerge-tui`."""

import sys

from evomerge_tui.cli.main import main

sys.exit(main())
