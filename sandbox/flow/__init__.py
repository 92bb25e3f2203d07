"""The live flow page: the source's pictures, lit by what really passed."""
