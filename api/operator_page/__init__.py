"""The operators' page: what needs a person now, search, payments, terminals, merchants, deliveries."""
