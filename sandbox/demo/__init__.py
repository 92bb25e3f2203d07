"""The demo: sales in the sandbox, printed as its systems recorded them, and compared at the end."""
