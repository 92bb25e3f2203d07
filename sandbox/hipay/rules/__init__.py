"""What becomes of the two halves of a transaction. Pure: no I/O, no clock, times are arguments."""
