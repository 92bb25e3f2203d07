"""The one JSON Schema of the order request: requests are checked by it and the OpenAPI page shows it.

The order of `properties` is the order in which errors are shown. Unknown fields are allowed everywhere.
`x-refused` maps a keyword to the sentence that the caller reads where the keyword alone explains too little.
"""

from typing import Any, Final

from api.connector.customer_schema import CUSTOMER
from api.connector.order_schema import ORDER
from api.connector.terminal_schema import POS_TECHNICAL_INFO

ORDER_REQUEST: Final[dict[str, Any]] = {
    "type": "object",
    "description": "One operation on one terminal.",
    "required": ["order", "pos_technical_info"],
    "properties": {
        "order": ORDER,
        "customer": CUSTOMER,
        "pos_technical_info": POS_TECHNICAL_INFO,
        "shipping": {"description": "Kept and passed on.", "examples": [{"city": "Nantes"}]},
    },
}
