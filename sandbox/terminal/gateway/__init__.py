"""The terminal's payment gateway: authorisations, completions, collections."""
