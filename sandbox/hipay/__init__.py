"""HiPay's platform: joins our order notifications and the gateway's pushes to transactions; its Console."""
