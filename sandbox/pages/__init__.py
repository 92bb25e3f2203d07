"""Common parts of the sandbox's pages: base template, style, formats, the application that serves them."""
