"""ROLES and ENTRIES: what each step of the graph does (no LangGraph here), and the command lines."""
