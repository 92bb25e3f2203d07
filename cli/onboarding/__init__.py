"""A retailer's shops from one file: checked whole, stored whole, secrets in a sealed file."""
