"""The command line ``metalocus``.

Read ``commands`` first: one function a command.
"""
