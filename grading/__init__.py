"""Truth: metrics, blind views, submission check, blending, intervals. `worker` runs in a container of its own."""
