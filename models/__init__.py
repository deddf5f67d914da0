"""MINDS: chat models through LangChain, behind one gate: limits, privacy, retries, record, replay."""
