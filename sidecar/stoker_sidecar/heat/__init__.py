"""The heart: (state, observation, now) to (state, actions, explanation), without I/O or a clock.

Still empty: it comes with the sidecar's hands. The layer is here so that its purity is checked
from its first line on.
"""
