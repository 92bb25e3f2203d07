"""The terminal's side of the world: the Preludd gateway, Nepting, the acquirer and the issuer."""
