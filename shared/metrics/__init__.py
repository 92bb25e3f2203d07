"""Metrics of all processes: their definitions, and the page that is made of them."""
