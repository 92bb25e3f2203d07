"""Client of cloud-terminal: pay on card terminals without ever charging twice.

>>> with CloudTerminal("https://api.example.com", username, password) as api:
...     outcome = api.pay(Order("ORDER_1", 1250, terminal="counter-1"))
"""

from cloud_terminal_client.async_client import AsyncCloudTerminal
from cloud_terminal_client.client import CloudTerminal
from cloud_terminal_client.errors import (
    ApiError,
    AuthenticationFailed,
    CloudTerminalError,
    Conflict,
    Forbidden,
    InvalidRequest,
    InvalidSignature,
    NoAnswer,
    NoConnection,
    NotFound,
    Overloaded,
    ServerError,
    TooManyRequests,
    UnreadableAnswer,
)
from cloud_terminal_client.models import Event, FeedPage, HistoryEvent, Operation, Payment, WebhookEndpoint
from cloud_terminal_client.orders import Order, TerminalAddress
from cloud_terminal_client.outcomes import Failed, Outcome, Succeeded, Unknown
from cloud_terminal_client.retrying import RetryPolicy
from cloud_terminal_client.webhooks import WebhookVerifier

__all__ = [
    "ApiError",
    "AsyncCloudTerminal",
    "AuthenticationFailed",
    "CloudTerminal",
    "CloudTerminalError",
    "Conflict",
    "Event",
    "Failed",
    "FeedPage",
    "Forbidden",
    "HistoryEvent",
    "InvalidRequest",
    "InvalidSignature",
    "NoAnswer",
    "NoConnection",
    "NotFound",
    "Operation",
    "Order",
    "Outcome",
    "Overloaded",
    "Payment",
    "RetryPolicy",
    "ServerError",
    "Succeeded",
    "TerminalAddress",
    "TooManyRequests",
    "Unknown",
    "UnreadableAnswer",
    "WebhookEndpoint",
    "WebhookVerifier",
]
