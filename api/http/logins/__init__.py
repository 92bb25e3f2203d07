"""Log-ins: credentials, the times of their last uses, and errors."""
