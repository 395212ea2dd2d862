"""The laws: pure rules of money, time, metering and pricing; no I/O and no clock."""
