"""`python -m cli` is the command `cloud-terminal`."""

from cli.main import main

main()
