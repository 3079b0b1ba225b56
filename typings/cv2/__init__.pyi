# OpenCV's own stubs call every result `integer | floating`, which no typed array accepts. Our records check dtypes instead.
from typing import Any

def __getattr__(name: str) -> Any: ...
