"""Pure domain of the gateway: what may stand on the register. No I/O, no clock, no logging."""
