"""The terminal's way to its payment gateway: authorisations, completions, collections."""
