"""The merchant's server: receives and verifies HiPay's notifications and the Cloud API's webhooks."""
