"""Schema of the part that says which terminal is woken, and how."""

from typing import Any, Final

from api.connector.enums import PROTOCOLS, PUSH_TARGETS
from shared.concert.fields import APPLICATIONS

DEFAULT_PORT: Final = 8888

HOST_INFORMATION: Final[dict[str, Any]] = {
    "type": "object",
    "description": "The terminal's address. Required, unless `pos_technical_info.terminal_id` names a "
    "registered terminal; both together are refused.",
    "properties": {
        "host": {
            "type": "string",
            "minLength": 1,
            "maxLength": 255,
            "pattern": "^[^\\u0000]*$",
            "description": "Host name or IP address of the terminal, alone: no blanks, port, scheme, zone id "
            "or unusual spelling of an address (`127.1`, leading zeros). It must lie in the merchant's "
            "allowed networks.",
            "examples": ["127.0.0.2"],
            "x-refused": {"pattern": "host must not contain U+0000 or a lone surrogate"},
        },
        "port": {
            "type": "integer",
            "minimum": 1,
            "maximum": 65535,
            "default": DEFAULT_PORT,
            "description": "TCP port on which the terminal listens.",
            "examples": [DEFAULT_PORT],
        },
    },
}

CONTRACT: Final[dict[str, Any]] = {
    "type": "object",
    "description": "One merchant contract of the terminal.",
    "properties": {
        "merchant_contract": {
            "type": "string",
            "minLength": 1,
            "maxLength": 10,
            # It is sent to the terminal, whose protocol is ASCII.
            "pattern": "^[ -~]*$",
            "description": "Number of the contract, usually 7 digits.",
            "examples": ["1234567"],
        },
        "rank": {
            "type": "string",
            "minLength": 3,
            "maxLength": 3,
            "description": "Rank of the contract in the terminal, for reconciliation; not sent to it.",
            "examples": ["001"],
        },
        "payment_application": {
            "type": "string",
            "enum": list(APPLICATIONS),
            "description": "Payment application of the terminal: "
            + ", ".join(f"`{code}` {name}" for code, name in APPLICATIONS.items())
            + ".",
            "examples": ["001"],
        },
    },
}

DISPLAY: Final[dict[str, Any]] = {
    "type": "object",
    "description": "How the terminal is asked.",
    "required": ["protocol", "contract_array"],
    "properties": {
        "protocol": {
            "type": "string",
            "enum": list(PROTOCOLS),
            "default": "ConcertV3.1",
            "description": "Protocol that the terminal speaks.",
            "examples": ["ConcertV3.2"],
        },
        "force_authorization": {
            "type": "boolean",
            "default": False,
            "description": "Ask for an authorisation whatever the terminal's own threshold.",
            "examples": [False],
        },
        "push_to": {
            "type": "string",
            "enum": list(PUSH_TARGETS),
            "default": "POS",
            "description": "Who wakes the terminal. `SDK` and `ECR` are refused: it would be woken by "
            "somebody else.",
            "examples": ["POS"],
            "x-refused": {
                "enum": "with push_to other than POS the terminal is woken by somebody else, so nothing is "
                "charged here"
            },
        },
        "contract_array": {
            "type": "array",
            # A terminal has some dozen.
            "maxItems": 100,
            "description": "Contracts to pay with; may be empty. With one entry its application and contract "
            "are asked for, with several neither is forced.",
            "items": CONTRACT,
        },
    },
}

POS_TECHNICAL_INFO: Final[dict[str, Any]] = {
    "type": "object",
    "description": "Which terminal is woken, and how.",
    "required": ["terminal_transaction_display"],
    # Checked by api.connector.request, in Ajv's order and words.
    "x-published": {
        "oneOf": [
            {
                "description": "By its address.",
                "required": ["host_information"],
                "properties": {"terminal_id": False, "host_information": {"required": ["host"]}},
            },
            {
                "description": "By its registered id.",
                "required": ["terminal_id"],
                "properties": {
                    "host_information": {"properties": {"host": False, "port": {"const": DEFAULT_PORT}}}
                },
            },
        ]
    },
    "properties": {
        "notify_url": {
            "type": "string",
            "pattern": "^[^\\u0000]*$",
            "description": "Where HiPay's platform sends its server-to-server notifications for this order, "
            "in place of the back office's default. This project's own webhooks never go there.",
            "examples": ["http://127.0.0.1:9000/notifications"],
            "x-refused": {"pattern": "notify_url must not contain U+0000 or a lone surrogate"},
        },
        "terminal_id": {
            "type": "string",
            "minLength": 1,
            "maxLength": 64,
            "pattern": "^[^\\u0000]*$",
            "description": "Addition of this project: a registered terminal, in place of its address.",
            "examples": ["term_01JNK4T0V8W9A4C6Q2Y3ZB5XDE"],
            "x-refused": {"pattern": "terminal_id must not contain U+0000 or a lone surrogate"},
        },
        "host_information": HOST_INFORMATION,
        "terminal_transaction_display": DISPLAY,
        "device_information": {
            "type": "object",
            "description": "The terminal's make; kept and passed on.",
            "properties": {
                "serial_number": {
                    "type": "string",
                    "description": "Serial number.",
                    "examples": ["19090CT21450177"],
                },
                "manufacturer": {"type": "string", "description": "Maker.", "examples": ["Ingenico"]},
            },
        },
    },
}
