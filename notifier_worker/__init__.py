"""The notifier worker, which pushes order notifications to HiPay and webhooks to merchants."""
