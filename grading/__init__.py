"""Truth: metrics, blind views, submission check, blending and intervals. The worker half runs in a container of its own."""
