"""WALL: runs untrusted code in hardened containers. Knows no model and no task; `sandbox.base` is the contract."""
