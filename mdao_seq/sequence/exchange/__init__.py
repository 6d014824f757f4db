"""Networks exchanged with the tools that people train in; none of them is imported here."""
