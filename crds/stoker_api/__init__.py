"""The LLMDeployment API, and the contract between Stoker's operator and its sidecar.

Import what you need from the module that has it: `stoker_api.wire` costs the sidecar next to
nothing, while `stoker_api.spec` and its neighbours bring pydantic with them.
"""
