"""What all pages of the sandbox share: base template, style, formats, an application to serve them."""
