"""`python -m lottery VERB ...`"""

import sys

from lottery.commands.main import main

sys.exit(main())
