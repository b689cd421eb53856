"""Local models in a child process that speaks the OpenAI chat dialect on a Unix socket.

`process` is the parent's side and the only file the hub imports; everything else runs in the child.
"""
