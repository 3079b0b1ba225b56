"""The founded installation of the workflow tests, for faults in its midst."""

from tests.workflows.conftest import founded, stage

__all__ = ["founded", "stage"]
