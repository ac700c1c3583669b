"""What needs Ray and submitit is collected where they are installed."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("ray") and find_spec("submitit") else ["test_clusters.py"]
