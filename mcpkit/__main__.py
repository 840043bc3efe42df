"""`python -m mcpkit` is the command `mcpkit`."""

from mcpkit.cli.main import main

if __name__ == "__main__":
    main()
