import sys

from telltale_lake.cli import main

sys.exit(main())
