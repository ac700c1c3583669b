"""Making one run, in this process.

Read ``train`` first; ``monitor`` is what is measured on the way, ``saving`` when it is saved. Many
runs at once are in ``metalocus.experiments.sweeps``.
"""
