"""The sandbox as a whole: its merchant, its addresses, the product's processes beside it."""
