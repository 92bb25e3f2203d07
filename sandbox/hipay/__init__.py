"""HiPay's platform: matches order notifications and the gateway's pushes to transactions; its Console."""
