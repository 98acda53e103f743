"""The chat page: Gradio's blocks inside a FastAPI app, safe by default."""

from __future__ import annotations

import os

# Read by Gradio and its Hugging Face client when they are first imported.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"
