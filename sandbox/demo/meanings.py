"""Half a line for each name of the domain, shown at its first use."""

from typing import Final

from sandbox.demo.steps import DATABASE, NOTIFIER
from sandbox.tracing.steps import Step

PARTIES: Final = {
    "register": "the shop's cash register (POS); any HTTP client can be one",
    "API": "takes orders over HTTP, answers with the result (this project)",
    DATABASE: "the truth; a payment is stored before anything is sent",
    "worker": "has one session at a time with a terminal (this project)",
    "terminal": "the card terminal on the counter",
    "customer": "whoever pays; the sandbox plays one",
    "Preludd": "the payment gateway behind the terminal",
    "Nepting": "the gateway's switch to the banks",
    "acquirer": "the merchant's bank",
    "issuer": "the card's bank, which decides",
    NOTIFIER: "delivers messages to HiPay and merchants (this project)",
    "HiPay": "the payment platform; its back office is the Console",
    "merchant": "the shop's own server",
}
TERMS: Final = {
    "claimed": "terminal lock: only its owner talks to the terminal",
    "in_doubt": "in doubt: the terminal may have charged; only a proof ends it",
    "takeover": "takeover: another worker continues for one that stopped",
    "identification": "identification: Concert's question for the terminal itself",
    "enquiry": "enquiry: Concert's question for the last transaction; never pays",
    Step.TERMINAL_CALLED: "Concert: the French protocol of registers and terminals",
    Step.AUTHORISATION_ASKED: "authorisation: the card's bank agrees to pay",
    Step.ORDER_NOTIFICATION: "order notification: HiPay learns what is being sold",
    Step.AUTHORISATION_PUSHED: "push: the gateway reports to HiPay what the terminal did",
    Step.MERCHANT_NOTIFIED: "notification: HiPay's message to the shop",
    Step.WEBHOOK_SENT: "webhook: this project's message to the shop",
    Step.EVIDENCE_REPORTED: "evidence: what the gateway knows, for payments in doubt",
    Step.COLLECTION_SENT: "collection: the day's transactions go to the merchant's bank",
}
