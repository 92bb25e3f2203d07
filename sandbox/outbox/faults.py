"""How messages are made late, doubled, disordered and lost, by script."""

from pydantic import BaseModel, ConfigDict, Field


class Faults(BaseModel):
    """The body of `POST /script` of whoever pushes; what is left out is as it should be."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: Every message is sent so much later.
    delay_seconds: float = Field(default=0.0, ge=0, le=3600)
    #: Every message is sent once more after it was acknowledged.
    double: bool = False
    #: Of every two messages the second is sent first.
    reorder: bool = False
    #: With `reorder`, a message waits for the next one at most so long.
    hold_seconds: float = Field(default=5.0, ge=0, le=3600)
    #: So many tries from now on are lost on the way: nothing is sent, the message is tried again.
    drop_first: int = Field(default=0, ge=0, le=10_000)
