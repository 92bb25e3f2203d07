"""Rules from order and authorisation push to transaction. Pure: no I/O, no clock, times are arguments."""
