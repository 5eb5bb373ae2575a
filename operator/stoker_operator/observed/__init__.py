"""What an LLMDeployment's children say: pure functions from objects as seen to its status.

Still empty: status comes with the reconcile loop. The layer is here so that its purity is checked
from its first line on.
"""
