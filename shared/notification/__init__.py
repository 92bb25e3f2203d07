"""What is told to others about a payment: pure, no I/O and no clock."""
