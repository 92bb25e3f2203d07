"""The Concert V3 protocol over IP as pure values: requests, frames and the meaning of answers."""
