"""`make demo`: the whole system as real processes, and the way of each payment from what they recorded."""
