"""Schema of the customer."""

from typing import Any, Final

CUSTOMER: Final[dict[str, Any]] = {
    "type": "object",
    "description": "Who pays. Optional, as is each of its fields.",
    "properties": {
        "customer_id": {
            "type": "string",
            "pattern": "^[^\\u0000]*$",
            "description": "The merchant's own number of the customer.",
            "examples": ["C-1001"],
            "x-refused": {"pattern": "customer_id must not contain U+0000 or a lone surrogate"},
        },
        "email": {
            "type": "string",
            "description": "E-mail address; a terminal with that profile offers to send the receipt there.",
            "examples": ["jane.doe@example.org"],
        },
        "phone": {
            "type": "string",
            "description": "Phone number; a terminal with that profile offers to send the receipt there.",
            "examples": ["0600000000"],
        },
        "first_name": {"type": "string", "description": "First name.", "examples": ["Jane"]},
        "last_name": {"type": "string", "description": "Last name.", "examples": ["Doe"]},
        "birthdate": {"description": "Kept and passed on.", "examples": ["1990-01-31"]},
        "gender": {"description": "Kept and passed on.", "examples": ["F"]},
        "customer_location": {"description": "Kept and passed on.", "examples": [{"city": "Nantes"}]},
    },
}
