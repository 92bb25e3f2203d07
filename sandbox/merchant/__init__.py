"""The merchant's server: receives and verifies HiPay's notifications and the cloud API's webhooks."""
