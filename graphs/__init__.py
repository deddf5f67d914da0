"""ORDER: the LangGraph state machine. Nodes are thin, routes are pure, the wiring is on one screen."""
