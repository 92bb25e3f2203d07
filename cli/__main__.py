"""The command `cloud-terminal` as `python -m cli`."""

from cli.main import main

main()
