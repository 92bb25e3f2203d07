"""The look that all pages share: style and icon."""
