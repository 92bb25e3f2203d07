"""The live flow page: HiPay's sequence diagrams, lit by the trace's events."""
