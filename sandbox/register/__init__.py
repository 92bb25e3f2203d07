"""A cash register in the browser: an ECR client of the public API, which knows nothing else of us."""
