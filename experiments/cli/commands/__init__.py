"""The commands of ``metalocus``: every public function here is one, under its own name.

Read ``training`` first. A trailing underscore, of names that Python has itself, is no part of a
command's name; its docstring and its signature are its help. Heavy imports wait in the functions,
so that help is there at once.
"""
