"""The status page: what the operator knows, to be looked at, and nothing to be done.

- `history`: what became of an LLMDeployment and its pods in the last hour (pure).
- `views`: what the page shows of one LLMDeployment, as JSON (pure).
- `audience`: who follows, and what each has not been told yet.
- `board`: what is remembered and handed out: the operator's side of the page.
- `serving`: the answers, over HTTP.
- `assets`: what the browser gets as it is. No resource comes from anywhere else.
"""
