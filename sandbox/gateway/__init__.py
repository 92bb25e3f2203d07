"""The authorisation chain behind the terminal: Preludd gateway, Nepting, acquirer, issuer."""
