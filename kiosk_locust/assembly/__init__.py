"""Assembly of a run: preflight, resume, controller, finalize."""
