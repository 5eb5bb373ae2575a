"""What the operator costs, and how soon it acts, with a thousand LLMDeployments."""
