"""The answer of an order, as the document describes it; `answer.py` renders it."""

from typing import Any, Literal

from pydantic import Field

from api.http.models import Omittable, ResponseBody
from api.payments.models import Payment


class Answer(ResponseBody):
    """A payment attempt that ended, in success or in failure."""

    payment_status: Literal["Success", "Failed"] = Field(alias="paymentStatus")
    receipt: Omittable[str] = Field(
        None, description="Customer receipt, UTF-8 text in base64; empty where the terminal gave none."
    )
    error_code: Omittable[str] = Field(
        None,
        alias="errorCode",
        description="On failure: the terminal's two digits (`00` where it gave none), `busy` or `cancelled`.",
    )
    error_description: Omittable[str] = Field(
        None, alias="errorDescription", description="The error code, human-readable."
    )
    error_data: Omittable[dict[str, Any]] = Field(
        None, alias="errorData", description="The payment's state, and its reason where there is one."
    )
    order: Omittable[dict[str, Any]] = Field(None, description="Echo of the request, defaults applied.")
    customer: Omittable[dict[str, Any]] = Field(
        None, description="Echo of the request; empty where it had no customer."
    )
    technical_pos_info: Omittable[dict[str, Any]] = Field(None, description="Echo of `pos_technical_info`.")
    pos_technical_info: Omittable[dict[str, Any]] = Field(
        None, description="The same echo by its other name."
    )
    payment: Omittable[Payment] = None
