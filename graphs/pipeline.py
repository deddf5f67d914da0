"""The whole graph on one screen. Studio serves `builder`; the command line compiles it with a checkpointer.

describe -> propose -> critique -> rank -> review -> plan <-> attempt (xN in parallel) -> finish
"""

from __future__ import annotations

from langgraph.graph import END, START, StateGraph

from graphs.attempt import attempt_graph
from graphs.context import Context
from graphs.nodes import (
    critique_node,
    describe_node,
    finish_node,
    plan_node,
    propose_node,
    rank_node,
    review_node,
    to_attempts,
)
from graphs.state import InputState, OutputState, State

builder = StateGraph(State, Context, input_schema=InputState, output_schema=OutputState)
builder.add_node("describe", describe_node, input_schema=InputState)
builder.add_node("propose", propose_node)
builder.add_node("critique", critique_node)
builder.add_node("rank", rank_node)
builder.add_node("review", review_node)
builder.add_node("plan", plan_node)
builder.add_node("attempt", attempt_graph().compile())
builder.add_node("finish", finish_node)
builder.add_edge(START, "describe")
builder.add_edge("describe", "propose")
builder.add_edge("propose", "critique")
builder.add_edge("critique", "rank")
builder.add_edge("rank", "review")
builder.add_edge("review", "plan")
builder.add_conditional_edges("plan", to_attempts, ["attempt", "finish"])
builder.add_edge("attempt", "plan")
builder.add_edge("finish", END)
