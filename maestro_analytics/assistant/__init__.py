"""A Model Context Protocol server: the answers, and SQL on the published file, as read-only tools for assistants.

    from maestro_analytics.assistant import serve

    serve(qa)  # on standard input and output, until the client leaves

`maestro-analytics mcp` is this on the command line.
"""

from maestro_analytics.assistant.server import serve, server

__all__ = ["serve", "server"]
