"""One Concert session: connection, request, answer, enquiry, identification."""
