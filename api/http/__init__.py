"""HTTP as every route of the API uses it: authentication, bodies, headers, errors, responses."""
