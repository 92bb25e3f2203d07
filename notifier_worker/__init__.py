"""Pushes order notifications to HiPay and webhooks to merchants, each on a queue of its own."""
