"""The Concert V3 protocol over IP as pure values: what is sent, what is read, what an answer means."""
